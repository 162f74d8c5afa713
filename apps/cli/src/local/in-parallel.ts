/**
 * Runs works side by side. When one fails, the others' signal is aborted; all have ended before the first failure is thrown.
 * @throws what the first failing work threw.
 */
export async function inParallel(
  signal: AbortSignal,
  works: readonly ((signal: AbortSignal) => Promise<unknown>)[],
): Promise<void> {
  const failed = new AbortController();
  const both = AbortSignal.any([signal, failed.signal]);
  let first: { error: unknown } | undefined;
  await Promise.all(
    works.map(async (work) => {
      try {
        await work(both);
      } catch (error) {
        first ??= { error };
        failed.abort(error);
      }
    }),
  );
  if (first) throw first.error;
}
