import type { HistoryQuery, Sample, SampleStore } from "./sample.ts";

/** The newest samples of the last hours, oldest first, and whether older ones of the period had to be left out. */
export async function metricsHistory(
  deps: { store: SampleStore },
  query: HistoryQuery,
): Promise<{ samples: Sample[]; truncated: boolean }> {
  // One more than asked for: it tells whether there are more.
  const newestFirst = await deps.store.newest({ ...query, limit: query.limit + 1 });
  return {
    samples: newestFirst.slice(0, query.limit).toReversed(),
    truncated: newestFirst.length > query.limit,
  };
}
