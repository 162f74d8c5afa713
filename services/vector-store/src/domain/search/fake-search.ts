import { KindredError } from "@kindred/errors";
import type { Collection } from "../collection.ts";
import { AUTO_POLICY } from "../index-policy.ts";
import type { ItemHit, ItemQuery, SearchState, ServingIndex } from "../item-ports.ts";
import { imagesLayout, managedLayout } from "../layout.ts";
import type { SearchDeps } from "./search.ts";
import type { SearchQuery } from "./search-query.ts";

// For tests: collections and items that no database holds.

const SPACE = {
  id: "fake:m@1:2:mean:l2:9",
  provider: "fake",
  model: "m",
  revision: "1",
  dimensions: 2,
  pooling: "mean",
  normalization: "l2",
  maxTokens: 9,
};

const songs: Collection = {
  name: "songs",
  kind: "managed",
  dimensions: 2,
  elementType: "vector",
  metric: "cosine",
  space: SPACE,
  recallTarget: 0.95,
  indexPolicy: AUTO_POLICY,
  textSearchConfig: "english",
  hashPartitions: undefined,
  reembeddingSpaceId: undefined,
  layout: managedLayout("s", 1, 1, "vector"),
  createdAt: new Date(0),
};
const images: Collection = {
  ...songs,
  name: "images",
  kind: "images",
  layout: imagesLayout("s", "vector"),
};
const bits: Collection = {
  ...songs,
  name: "bits",
  elementType: "bit",
  dimensions: 8,
  metric: "hamming",
  space: undefined,
};

export const index: ServingIndex = {
  name: "hnsw",
  oid: 1,
  method: "hnsw",
  quantization: "none",
  metric: "cosine",
  curves: [],
  operatorClass: "vector_cosine_ops",
  valid: true,
  partial: false,
  sizeBytes: 1n,
  parameters: { m: "16", ef_construction: "200" },
};
const STATE: SearchState = {
  indexes: [index],
  estimatedRows: 1_000_000,
  estimatedGroups: 1_000_000,
  iterativeScans: true,
};

export function itemHit(row: number, group?: number): ItemHit {
  return {
    key: String(row),
    distance: row / 1000,
    group,
    image: undefined,
    vector: floats(1, row / 10),
    metadata: undefined,
    document: undefined,
  };
}

export const floats = (...values: number[]): Uint8Array => new Uint8Array(Float32Array.from(values).buffer);

/** What a search asks of the world, without one. Items by ascending distance, each of the given group; the index sees only some of them. */
export function depsOf(
  groups: readonly number[],
  options: {
    state?: Partial<SearchState>;
    matching?: number;
    share?: number;
    indexSees?: (row: number) => boolean;
    matches?: string[];
  } = {},
) {
  const asked: ItemQuery[] = [];
  const embedded: (readonly string[])[] = [];
  const { indexSees = () => true } = options;
  const deps: SearchDeps = {
    collections: {
      get: async (name) => {
        const found = [songs, images, bits].find((collection) => collection.name === name);
        if (!found) throw new KindredError("not-found", `no ${name}`);
        return found;
      },
    },
    items: {
      get: async (_, keys) =>
        keys.flatMap((key) =>
          Number(key) < groups.length
            ? [
                {
                  key,
                  vector: floats(1, Number(key)),
                  metadata: undefined,
                  document: undefined,
                  updatedAt: undefined,
                },
              ]
            : [],
        ),
      list: async () => [],
    },
    images: { find: async () => undefined },
    embedding: {
      embed: async (texts) => {
        embedded.push(texts);
        return { vectors: floats(...texts.flatMap((text) => [text.length, 1])), space: SPACE };
      },
    },
    texts: { matches: async () => ({ keys: options.matches ?? [], method: "fts" }) },
    search: {
      state: async () => ({ ...STATE, ...options.state }),
      countMatching: async (_, __, bound) => Math.min(bound, options.matching ?? 0),
      passingShare: async () => options.share,
      distances: async ({ keys, group }) =>
        keys.map((key) => itemHit(Number(key), group && groups[Number(key)])),
      explain: async () => ({ sql: "SELECT 1", parameters: [], settings: {}, plan: "Result" }),
      nearest: async (query) => {
        asked.push(query);
        const rows = [...groups.keys()].filter((row) => query.scan.method === "exact" || indexSees(row));
        const candidates = rows.slice(0, query.candidateLimit);
        const byGroup = new Map<number, ItemHit[]>();
        for (const row of candidates) {
          const group = query.group ? (groups[row] as number) : row;
          const members = byGroup.get(group) ?? [];
          if (members.length < (query.group?.size ?? 1)) members.push(itemHit(row, query.group && group));
          byGroup.set(group, members);
        }
        const hits = [...byGroup.values()].slice(0, query.k).flat();
        return { hits, candidates: candidates.length, rowsScanned: undefined };
      },
    },
  };
  return { deps, asked, embedded };
}

export const query: SearchQuery = {
  collection: "images",
  by: { kind: "vector", data: floats(1, 0), spaceId: "", field: "vector" },
  k: 3,
  offset: 0,
  threshold: undefined,
  metric: undefined,
  filter: undefined,
  exact: false,
  efSearch: undefined,
  probes: undefined,
  recallTarget: undefined,
  hitPerEmbedding: false,
  group: undefined,
  hybrid: undefined,
  diversity: undefined,
  projection: { vector: false, metadata: "all", document: true },
};
export const ofSongs: SearchQuery = { ...query, collection: "songs" };
export const filter = { kind: "eq", path: ["a"], value: 1 } as const;
