import { describe, expect, test } from "@jest/globals";
import type { CatalogueState, VectorSearch } from "./ports.ts";
import { search } from "./search.ts";
import type { Hit, NearestQuery, SearchQuery } from "./search-query.ts";

const image = {
  imagePath: "",
  description: "",
  tags: [],
  width: undefined,
  height: undefined,
  fileSizeBytes: undefined,
  format: "",
  sourceDataset: "",
  createdAt: new Date(0),
  embeddingCount: 1,
};

/** A table of embeddings by ascending distance, each of the image with the given id. */
function tableOf(imageIds: readonly number[], indexSees: (row: number) => boolean = () => true) {
  const asked: NearestQuery[] = [];
  const nearest: VectorSearch["nearest"] = async (query) => {
    asked.push(query);
    const rows = [...imageIds.keys()].filter((row) => query.scan.method === "exact" || indexSees(row));
    const candidates = rows.slice(0, query.candidateLimit);
    const best = new Map<number, Hit>();
    for (const row of candidates) {
      const id = imageIds[row] as number;
      if (best.has(id) && !query.hitPerEmbedding) continue;
      best.set(query.hitPerEmbedding ? -row : id, {
        image: { ...image, id: BigInt(id) },
        distance: row / 1000,
        embeddingId: BigInt(row),
        metadata: undefined,
      });
    }
    return { hits: [...best.values()].slice(0, query.k), candidates: candidates.length };
  };
  return { asked, nearest };
}

const index = {
  name: "hnsw",
  method: "hnsw",
  operatorClass: "vector_cosine_ops",
  valid: true,
  partial: false,
  sizeBytes: 1n,
  parameters: { m: "16", ef_construction: "200" },
};

function depsOf(table: Pick<VectorSearch, "nearest">, change: Partial<CatalogueState> = {}, matching = 0) {
  const state = {
    space: undefined,
    index,
    estimatedEmbeddings: 1_000_000,
    estimatedImages: 1_000_000,
    ...change,
  };
  return {
    catalogue: {
      ...table,
      state: async () => state,
      countMatching: async (_: unknown, bound: number) => Math.min(bound, matching),
      firstVector: async () => "no-image" as const,
    },
    embedding: { embed: () => Promise.reject(new Error("no text was to be embedded")) },
  };
}

const query: SearchQuery = {
  by: { kind: "vector", data: new Uint8Array(1536), spaceId: "" },
  k: 3,
  threshold: undefined,
  metric: "cosine",
  filter: { modelType: "", embeddingType: "", sourceDataset: "" },
  exact: false,
  efSearch: undefined,
  hitPerEmbedding: false,
};
const idsOf = (hits: readonly Hit[]): number[] => hits.map((hit) => Number(hit.image.id));

describe("an exact search", () => {
  test("looks further while one image takes up the nearest places", async () => {
    const table = tableOf([...Array.from({ length: 200 }, () => 1), 2, 3, 4]);
    const result = await search(depsOf(table, { index: undefined }), query, {});
    expect(idsOf(result.hits)).toEqual([1, 2, 3]);
    expect(result).toMatchObject({ method: "exact", complete: true });
    expect(table.asked.map((asked) => asked.candidateLimit)).toEqual([6, 48, 384]);
  });

  test("is complete with fewer hits than asked for when there are no more", async () => {
    const table = tableOf([1, 1, 2]);
    const result = await search(depsOf(table, { index: undefined }), query, {});
    expect(idsOf(result.hits)).toEqual([1, 2]);
    expect(result.complete).toBe(true);
    expect(table.asked).toHaveLength(1);
  });
});

describe("a search through the index", () => {
  test("takes one statement when it finds enough", async () => {
    const table = tableOf([1, 1, 2, 3, 4]);
    const result = await search(depsOf(table), query, {});
    expect(idsOf(result.hits)).toEqual([1, 2, 3]);
    expect(result).toMatchObject({
      method: "hnsw",
      complete: true,
      scan: { indexName: "hnsw", efSearch: 200 },
    });
    expect(table.asked).toHaveLength(1);
  });

  test("is widened while one image takes up the nearest places", async () => {
    const table = tableOf([...Array.from({ length: 40 }, () => 1), 2, 3, 4]);
    const result = await search(depsOf(table), query, {});
    expect(idsOf(result.hits)).toEqual([1, 2, 3]);
    expect(result.method).toBe("hnsw");
    expect(table.asked.map((asked) => [asked.scan.method, asked.candidateLimit])).toEqual([
      ["hnsw", 6],
      ["hnsw", 48],
    ]);
  });

  test("falls back on every row when the index gives too few", async () => {
    const table = tableOf([1, 2, 3, 4], (row) => row < 2);
    const result = await search(depsOf(table), query, {});
    expect(idsOf(result.hits)).toEqual([1, 2, 3]);
    expect(result).toMatchObject({ method: "exact-fallback", scan: undefined, complete: true });
  });

  test("does not look for more below the threshold", async () => {
    const table = tableOf([1, 2, 3, 4], (row) => row < 2);
    const result = await search(depsOf(table), { ...query, threshold: 0.9995 }, {});
    expect(idsOf(result.hits)).toEqual([1]);
    expect(result).toMatchObject({ method: "hnsw", complete: true });
    expect(table.asked).toHaveLength(1);
  });
});

describe("a filtered search", () => {
  const filtered = { ...query, filter: { ...query.filter, modelType: "clip" } };

  test("compares the matching rows when they are few, and scans the index when they are many", async () => {
    const ids = [1, 2, 3];
    expect((await search(depsOf(tableOf(ids), {}, 500), filtered, {})).method).toBe("exact");
    expect((await search(depsOf(tableOf(ids), {}, 900_000), filtered, {})).method).toBe("hnsw");
  });

  test("takes the index when an ef_search is named", async () => {
    const result = await search(depsOf(tableOf([1, 2, 3]), {}, 500), { ...filtered, efSearch: 50 }, {});
    expect(result).toMatchObject({ method: "hnsw", scan: { efSearch: 50 } });
  });
});

test("vectors without a direction, which others may have stored, are no hits", async () => {
  const nearest: VectorSearch["nearest"] = async () => ({
    hits: [
      { image: { ...image, id: 1n }, distance: 0.5, embeddingId: 1n, metadata: undefined },
      { image: { ...image, id: 2n }, distance: Number.NaN, embeddingId: 2n, metadata: undefined },
    ],
    candidates: 2,
  });
  const { hits } = await search(depsOf({ nearest }, { index: undefined }), query, {});
  expect(idsOf(hits)).toEqual([1]);
});

test("the time that is left is what each step may take", async () => {
  const seen: (number | undefined)[] = [];
  const table = tableOf([1, 2, 3]);
  const nearest: VectorSearch["nearest"] = (asked, limits) => {
    seen.push(limits.timeoutMs);
    return table.nearest(asked, limits);
  };
  await search(depsOf({ nearest }), query, { timeoutMs: 1000.5 });
  await search(depsOf({ nearest }), query, {});
  expect(seen[0]).toBeGreaterThan(0);
  expect(seen[0]).toBeLessThanOrEqual(1001);
  expect(Number.isInteger(seen[0])).toBe(true);
  expect(seen[1]).toBeUndefined();
});
