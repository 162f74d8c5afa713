import { Metric, SearchMethod } from "@kindred/contracts/vector-store/v1";
import type { FaissDataset } from "@kindred/faiss";
import { packVectors } from "@kindred/rpc";
import { translated, type Clients } from "../clients.ts";
import { ExactNeighbours } from "./neighbours.ts";
import { DATASET_FIELD, migratedRow, type MigratedRow } from "./rows.ts";

/** How alike neighbours are in FAISS and in Kindred. */
export interface Comparison {
  queries: number;
  k: number;
  metric: "cosine" | "inner-product" | "l2";
  /** Shares of the k true nearest that Kindred finds, 0 to 1. */
  mean: number;
  worst: number;
  /** How Kindred answered, and how often. */
  methods: Map<string, number>;
}

const ASKED_AT_ONCE = 4;

const METRICS = {
  cosine: Metric.COSINE,
  "inner-product": Metric.INNER_PRODUCT,
  l2: Metric.L2,
} as const;

/**
 * Asks the same questions exactly of the data set's own vectors, by its own metric, and of Kindred as anybody would, under a filter that
 * leaves the data set's vectors. Vectors of length 1 are asked for by cosine, the metric of the images' indexes: it orders them alike.
 */
export async function compareNeighbours(
  { search }: Pick<Clients, "search">,
  dataset: FaissDataset,
  queries: readonly MigratedRow[],
  options: {
    k: number;
    spaceId: string;
    isUnitLength: boolean;
    signal: AbortSignal;
    onAsked?: (done: number) => void;
  },
): Promise<Comparison> {
  const { k, spaceId, signal } = options;
  const exact = new ExactNeighbours(
    queries.map(({ vector }) => vector),
    { k, metric: dataset.index.metric },
  );
  for await (const rows of dataset.rows({ signal })) {
    for (const row of rows) {
      const migrated = migratedRow(row, dataset);
      if (typeof migrated !== "string") exact.offer(migrated.record.imagePath, migrated.vector);
    }
  }
  const metric = options.isUnitLength ? "cosine" : dataset.index.metric;
  const overlaps: number[] = [];
  const methods = new Map<string, number>();
  for (let from = 0; from < queries.length; from += ASKED_AT_ONCE) {
    signal.throwIfAborted();
    const some = queries.slice(from, from + ASKED_AT_ONCE);
    const replies = await Promise.all(
      some.map(({ vector }) =>
        translated(() =>
          search.search(
            {
              query: { case: "vector", value: { data: packVectors(vector), spaceId } },
              k,
              metric: METRICS[metric],
              where: onlyFrom(dataset.name),
            },
            { signal },
          ),
        ),
      ),
    );
    replies.forEach(({ hits, plan }, i) => {
      const paths = hits.map(({ image }) => image?.imagePath ?? "");
      overlaps.push(exact.overlap(from + i, paths));
      const method = METHODS[plan?.method ?? SearchMethod.UNSPECIFIED] ?? "unknown";
      methods.set(method, (methods.get(method) ?? 0) + 1);
    });
    options.onAsked?.(overlaps.length);
  }
  return {
    queries: queries.length,
    k,
    metric,
    mean: overlaps.reduce((sum, one) => sum + one, 0) / Math.max(overlaps.length, 1),
    worst: Math.min(1, ...overlaps),
    methods,
  };
}

function onlyFrom(dataset: string) {
  const field = { segments: ["metadata", DATASET_FIELD] };
  const value = { value: { case: "text" as const, value: dataset } };
  return { condition: { case: "eq" as const, value: { field, value } } };
}

const METHODS: Record<SearchMethod, string> = {
  [SearchMethod.UNSPECIFIED]: "unknown",
  [SearchMethod.EXACT]: "exact",
  [SearchMethod.HNSW]: "hnsw",
  [SearchMethod.IVFFLAT]: "ivfflat",
  [SearchMethod.DISKANN]: "diskann",
  [SearchMethod.EXACT_FALLBACK]: "exact fallback",
  [SearchMethod.IN_PROCESS]: "in process",
};
