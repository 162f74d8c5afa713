import { isKindredError } from "@kindred/errors";

/** One that loses so many races in a row is given up. */
const ATTEMPTS = 4;

/** Tries again what lost a race against another transaction. @param work gets the number of the attempt, from 1 */
export async function retryAborted<T>(
  work: (attempt: number) => Promise<T>,
  attempts: number = ATTEMPTS,
): Promise<T> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await work(attempt);
    } catch (error) {
      if (!isKindredError(error) || error.kind !== "aborted" || attempt >= attempts) throw error;
    }
  }
}
