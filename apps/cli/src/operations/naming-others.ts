import { isKindredError } from "@kindred/errors";
import { translated } from "../clients.ts";
import { Failure } from "../failure.ts";

/**
 * Begins an operation.
 * @throws Failure that names the way out where another operation of the collection runs
 */
export async function namingOthers<T>(collection: string, begin: () => Promise<T>): Promise<T> {
  try {
    return await translated(begin);
  } catch (error) {
    if (!isKindredError(error) || error.kind !== "aborted") throw error;
    throw new Failure(error.message, {
      remedy: `Which one, and how far it is: kindred operations list ${collection} --active`,
      cause: error,
    });
  }
}
