import { isKindredError } from "@kindred/errors";

/** One that loses so many races in a row is given up. */
const ATTEMPTS = 4;

/** Tries again what lost a race against another transaction. */
export async function retryAborted<T>(work: (attempt: number) => Promise<T>): Promise<T> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await work(attempt);
    } catch (error) {
      if (!isKindredError(error) || error.kind !== "aborted" || attempt === ATTEMPTS) throw error;
    }
  }
}
