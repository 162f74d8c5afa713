type Work = (signal: AbortSignal) => Promise<unknown>;
type Results<Works extends readonly Work[]> = { -readonly [K in keyof Works]: Awaited<ReturnType<Works[K]>> };

/**
 * Runs works side by side, and returns their results in the order of the works. When one fails, the others' signal is aborted; all
 * have ended before the first failure is thrown.
 */
export async function inParallel<const Works extends readonly Work[]>(
  signal: AbortSignal,
  works: Works,
): Promise<Results<Works>> {
  const failed = new AbortController();
  const both = AbortSignal.any([signal, failed.signal]);
  let first: { error: unknown } | undefined;
  const results = await Promise.all(
    works.map(async (work) => {
      try {
        return await work(both);
      } catch (error) {
        first ??= { error };
        failed.abort(error);
        return undefined;
      }
    }),
  );
  if (first) throw first.error;
  return results as Results<Works>;
}
