/**
 * The same messages, each step of the iteration made by `around`.
 * @param abandoned hears of a step that failed; the iterator may have more to do behind it.
 */
export function mapSteps<T>(
  messages: AsyncIterable<T>,
  around: (step: () => Promise<IteratorResult<T>>) => Promise<IteratorResult<T>>,
  abandoned?: (it: AsyncIterator<T>) => void,
): AsyncIterable<T> {
  return {
    [Symbol.asyncIterator]() {
      const it = messages[Symbol.asyncIterator]();
      return {
        async next() {
          try {
            return await around(() => it.next());
          } catch (error) {
            abandoned?.(it);
            throw error;
          }
        },
        return: async (value?: unknown) => it.return?.(value) ?? { done: true, value: undefined },
      };
    },
  };
}

/** How the messages of a stream ended. */
export interface StreamEnd {
  /** After the last message. */
  succeeded(): void;
  /** @returns what is thrown in the error's place. */
  failed(error: unknown): unknown;
  /** Who reads them did not want the rest. */
  abandoned(): void;
}

/** The same messages; exactly one of the functions is called, when they end. */
export async function* watchEnd<T>(messages: AsyncIterable<T>, end: StreamEnd): AsyncIterable<T> {
  let over = false;
  try {
    yield* messages;
    over = true;
    end.succeeded();
  } catch (error) {
    over = true;
    throw end.failed(error);
  } finally {
    if (!over) end.abandoned();
  }
}
