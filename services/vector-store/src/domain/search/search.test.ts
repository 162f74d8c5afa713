import { describe, expect, test } from "@jest/globals";
import type { RecallCurve } from "../recall/recall.ts";
import { index, itemHit, floats, depsOf, query, ofSongs, filter } from "./fake-search.ts";
import { searchBatch } from "./search-batch.ts";
import { explain, search, type SearchDeps } from "./search.ts";
import type { SearchQuery } from "./search-query.ts";

const run = async (deps: SearchDeps, asked: SearchQuery) => {
  const result = await search(deps, asked, {});
  return {
    ...result,
    keys: result.hits.map(({ key }) => Number(key)),
    groups: result.hits.map(({ group }) => group),
  };
};
const exactly = { state: { indexes: [] } };

describe("an exact search", () => {
  test("looks further while one image takes up the nearest places", async () => {
    const { deps, asked } = depsOf([...Array.from({ length: 200 }, () => 1), 2, 3, 4], exactly);
    const { groups, plan } = await run(deps, query);
    expect(groups).toEqual([1, 2, 3]);
    expect(plan).toMatchObject({ scan: { method: "exact" }, complete: true, fallback: false });
    expect(asked.map(({ candidateLimit }) => candidateLimit)).toEqual([6, 48, 384]);
  });

  test("is complete with fewer hits than asked for when there are no more", async () => {
    const { deps, asked } = depsOf([1, 1, 2], exactly);
    const { groups, plan } = await run(deps, query);
    expect(groups).toEqual([1, 2]);
    expect(plan.complete).toBe(true);
    expect(asked).toHaveLength(1);
  });
});

describe("a search through the index", () => {
  test("takes one statement when it finds enough", async () => {
    const { deps, asked } = depsOf([1, 1, 2, 3, 4]);
    const { groups, plan } = await run(deps, query);
    expect(groups).toEqual([1, 2, 3]);
    expect(plan).toMatchObject({
      scan: { method: "hnsw", indexName: "hnsw", efSearch: 200 },
      complete: true,
    });
    expect(asked).toHaveLength(1);
  });

  test("is widened while one image takes up the nearest places", async () => {
    const { deps, asked } = depsOf([...Array.from({ length: 40 }, () => 1), 2, 3, 4]);
    expect((await run(deps, query)).groups).toEqual([1, 2, 3]);
    expect(asked.map(({ scan, candidateLimit }) => [scan.method, candidateLimit])).toEqual([
      ["hnsw", 6],
      ["hnsw", 48],
    ]);
  });

  test("falls back on every row when the index gives too few", async () => {
    const { deps } = depsOf([1, 2, 3, 4], { indexSees: (row) => row < 2 });
    const { groups, plan } = await run(deps, query);
    expect(groups).toEqual([1, 2, 3]);
    expect(plan).toMatchObject({ fallback: true, scan: { method: "exact" }, complete: true });
  });

  test("does not look for more below the threshold", async () => {
    const { deps, asked } = depsOf([1, 2, 3, 4], { indexSees: (row) => row < 2 });
    const { groups, plan } = await run(deps, { ...query, threshold: 0.9995 });
    expect(groups).toEqual([1]);
    expect(plan).toMatchObject({ fallback: false, complete: true });
    expect(asked).toHaveLength(1);
  });

  test("of a filtered collection compares the matching rows when they are few", async () => {
    const few = await run(depsOf([1, 2, 3], { matching: 500 }).deps, { ...query, filter });
    expect(few.plan).toMatchObject({ scan: { method: "exact" }, matchingRows: 500, iterative: false });
    const many = await run(depsOf([1, 2, 3], { matching: 900_000 }).deps, { ...query, filter });
    expect(many.plan).toMatchObject({ scan: { method: "hnsw" }, iterative: true });
    const named = await run(depsOf([1, 2, 3], { matching: 500 }).deps, { ...query, filter, efSearch: 50 });
    expect(named.plan).toMatchObject({ scan: { method: "hnsw", efSearch: 50 }, matchingRows: undefined });
  });
});

describe("pages and groups", () => {
  const twelve = Array.from({ length: 12 }, (_, i) => i);

  test("offset leaves out the nearest", async () => {
    const { keys } = await run(depsOf(twelve).deps, { ...ofSongs, offset: 4 });
    expect(keys).toEqual([4, 5, 6]);
  });

  test("groups count as one, and their hits stay together", async () => {
    const { deps } = depsOf([7, 8, 7, 7, 9, 8]);
    const grouped = { ...ofSongs, group: { path: ["g"], size: 2 }, k: 2 };
    expect((await run(deps, grouped)).keys).toEqual([0, 2, 1, 5]);
    expect((await run(deps, { ...grouped, k: 1, offset: 1 })).keys).toEqual([1, 5]);
  });

  test("the images catalogue is grouped by image unless each embedding is to be a hit", async () => {
    const { deps } = depsOf([1, 1, 2]);
    expect((await run(deps, { ...query, hitPerEmbedding: true })).keys).toEqual([0, 1, 2]);
    await expect(run(deps, { ...query, group: { path: ["format"], size: 1 } })).rejects.toMatchObject({
      violations: [{ field: "group_by" }],
    });
  });
});

describe("several queries", () => {
  const text = (value: string) => ({ kind: "text", text: value, field: "text" }) as const;
  const key = (value: string) => ({ kind: "key", key: value, field: "key" }) as const;

  test("are added up at unit length by weight", async () => {
    const { deps, asked, embedded } = depsOf([1, 2, 3]);
    const queries = [
      { source: { kind: "vector", data: floats(5, 0), spaceId: "", field: "v" } as const, weight: 3 },
      { source: { kind: "vector", data: floats(0, 2), spaceId: "", field: "v" } as const, weight: -4 },
    ];
    await run(deps, { ...ofSongs, by: { kind: "several", queries, field: "several" } });
    const vector = new Float32Array(Uint8Array.from(asked[0]?.vector ?? []).buffer);
    expect(vector[0]).toBeCloseTo(0.6);
    expect(vector[1]).toBeCloseTo(-0.8);
    expect(embedded).toEqual([]);
  });

  test("texts are embedded together, and stored items are no hits", async () => {
    const { deps, asked, embedded } = depsOf([1, 2, 3]);
    const queries = [text("ab"), text("abc"), text("ab"), key("1")].map((source) => ({ source, weight: 1 }));
    await run(deps, { ...ofSongs, by: { kind: "several", queries, field: "several" } });
    expect(embedded).toEqual([["ab", "abc"]]);
    expect(asked[0]?.excludedKeys).toEqual(["1"]);
  });

  test("that cancel each other out are refused", async () => {
    const queries = [1, -1].map((weight) => ({ source: text("ab"), weight }));
    const cancelled = run(depsOf([1]).deps, {
      ...ofSongs,
      by: { kind: "several", queries, field: "several" },
    });
    await expect(cancelled).rejects.toMatchObject({ violations: [{ field: "several.queries" }] });
  });

  test("an unknown key is named", async () => {
    const unknown = run(depsOf([1]).deps, { ...ofSongs, by: key("77") });
    await expect(unknown).rejects.toMatchObject({
      kind: "not-found",
      message: expect.stringContaining('"77"'),
    });
  });
});

describe("what does not fit the collection", () => {
  test("a vector of other dimensions, and of another space", async () => {
    const { deps } = depsOf([1]);
    const short = {
      ...ofSongs,
      by: { kind: "vector", data: floats(1), spaceId: "", field: "vector" } as const,
    };
    await expect(run(deps, short)).rejects.toMatchObject({ violations: [{ field: "vector.data" }] });
    const other = {
      ...ofSongs,
      by: { kind: "vector", data: floats(1, 0), spaceId: "else", field: "vector" } as const,
    };
    await expect(run(deps, other)).rejects.toMatchObject({ kind: "failed-precondition" });
  });

  test("a metric of another element type", async () => {
    await expect(run(depsOf([1]).deps, { ...ofSongs, metric: "hamming" })).rejects.toMatchObject({
      violations: [{ field: "metric" }],
    });
  });

  test("a text, where vectors are bits", async () => {
    const asked = { ...query, collection: "bits", by: { kind: "text", text: "a", field: "text" } as const };
    await expect(run(depsOf([1]).deps, asked)).rejects.toMatchObject({ kind: "failed-precondition" });
  });
});

describe("hybrid", () => {
  const hybrid = { text: "word", rankConstant: 60, textWeight: 1, candidates: 4 };

  test("hits of both lists come first, and each says where it came from", async () => {
    const { deps, asked } = depsOf([0, 1, 2, 3, 4, 5, 6, 7], { matches: ["7", "2"] });
    const { keys, hits, plan } = await run(deps, { ...ofSongs, hybrid });
    expect(asked[0]?.k).toBe(4);
    expect(keys).toEqual([2, 0, 7]);
    expect(hits.map(({ textRank }) => textRank)).toEqual([2, undefined, 1]);
    expect(hits[2]?.similarity).toBeCloseTo(1 - 0.007);
    expect(plan.textMethod).toBe("fts");
  });

  test("the threshold holds for what the full-text search found, too", async () => {
    const { deps } = depsOf([0, 1, 2, 3, 4, 5, 6, 7], { matches: ["7"] });
    expect((await run(deps, { ...ofSongs, hybrid, threshold: 0.9985 })).keys).toEqual([0, 1]);
  });
});

test("diversity chooses among more than it returns, and keeps vectors to itself", async () => {
  const { deps, asked } = depsOf([0, 1, 2, 3, 4, 5, 6, 7]);
  const { keys, hits } = await run(deps, { ...ofSongs, diversity: { lambda: 0, candidates: 8 } });
  expect(asked[0]).toMatchObject({ k: 8, projection: { vector: true } });
  expect(keys.slice(0, 2)).toEqual([0, 7]);
  expect(hits.map(({ vector }) => vector)).toEqual([undefined, undefined, undefined]);
});

test("vectors without a direction, which others may have stored, are no hits", async () => {
  const { deps } = depsOf([1], exactly);
  deps.search.nearest = async () => ({
    hits: [itemHit(1), { ...itemHit(2), distance: Number.NaN }],
    candidates: 2,
    rowsScanned: 2,
  });
  expect((await run(deps, ofSongs)).keys).toEqual([1]);
});

test("the time that is left is what each step may take", async () => {
  const { deps } = depsOf([1, 2, 3]);
  const seen: (number | undefined)[] = [];
  const { nearest } = deps.search;
  deps.search.nearest = (asked, limits) => {
    seen.push(limits.timeoutMs);
    return nearest(asked, limits);
  };
  await search(deps, ofSongs, { timeoutMs: 1000.5 });
  await search(deps, ofSongs, {});
  expect(seen[0]).toBeGreaterThan(0);
  expect(seen[0]).toBeLessThanOrEqual(1001);
  expect(Number.isInteger(seen[0])).toBe(true);
  expect(seen[1]).toBeUndefined();
});

test("a batch embeds its texts in one call a collection, and each search fails on its own", async () => {
  const { deps, embedded } = depsOf([1, 2, 3]);
  const text = (value: string): SearchQuery => ({
    ...ofSongs,
    by: { kind: "text", text: value, field: "text" },
  });
  const outcomes = await searchBatch(
    deps,
    [
      text("a"),
      { ...ofSongs, collection: "nothing" },
      text("bb"),
      { ...ofSongs, metric: "jaccard" },
      ofSongs,
    ],
    {},
  );
  expect(embedded).toEqual([["a", "bb"]]);
  expect(outcomes.map((outcome) => ("kind" in outcome ? outcome.kind : outcome.hits.length))).toEqual([
    3,
    "not-found",
    3,
    "invalid-argument",
    3,
  ]);
});

test("explain says what was decided and why", async () => {
  const { plan, explained } = await explain(
    depsOf([1], { matching: 5 }).deps,
    { ...ofSongs, filter },
    { analyze: false },
    {},
  );
  expect(explained?.sql).toBe("SELECT 1");
  expect(plan.scan).toEqual({ method: "exact" });
  expect(plan.reasons.join(" ")).toContain("5 rows pass the filter");
});

describe("recall", () => {
  const curveOf = (selectivity: number, effort: number): RecallCurve => ({
    k: 10,
    selectivity,
    points: [{ effort, recall: 0.97, lower: 0.96, ms: 1 }],
    queries: 100,
    exactMs: 1000,
    recentQueries: 0,
    rows: 1_000_000,
    tunedAt: new Date(0),
  });
  const tuned = { ...index, curves: [curveOf(1, 60), curveOf(0.05, 300)] };

  test("a search's own target, and what is to be expected, are said", async () => {
    const { plan } = await search(depsOf([1, 2, 3], { state: { indexes: [tuned] } }).deps, ofSongs, {});
    expect(plan).toMatchObject({ scan: { efSearch: 60 }, recallTarget: 0.95, expectedRecall: 0.97 });
    const { deps } = depsOf([1, 2, 3], { state: { indexes: [tuned] } });
    const asked = await search(deps, { ...ofSongs, recallTarget: 0.8 }, {});
    expect(asked.plan.recallTarget).toBe(0.8);
    const exact = await search(deps, { ...ofSongs, exact: true }, {});
    expect(exact.plan).toMatchObject({ recallTarget: undefined, expectedRecall: 1 });
  });

  test("what no effort is certain to find is found exactly, where that takes little longer", async () => {
    const cheap = { ...index, curves: [1, 0.05].map((share) => ({ ...curveOf(share, 60), exactMs: 3 })) };
    const state = { indexes: [cheap] };
    const plain = await search(depsOf([1, 2, 3], { state }).deps, { ...ofSongs, recallTarget: 0.99 }, {});
    expect(plain.plan).toMatchObject({
      scan: { method: "exact" },
      expectedRecall: 1,
      recallTarget: undefined,
    });
    expect(plain.plan.reasons.join(" ")).toContain("not measured to reach recall 0.99");
    const { deps } = depsOf([1, 2, 3], { state, matching: 500_000, share: 0.05 });
    const filtered = await search(deps, { ...ofSongs, filter, recallTarget: 0.99 }, {});
    expect(filtered.plan).toMatchObject({ scan: { method: "exact" }, filterSelectivity: 0.05 });
  });

  test.each([
    // No sample can be taken: no more pass than were counted, which are some thousand of a million.
    [undefined, 300, undefined],
    [0.05, 300, 0.05],
    [0.5, 300, 0.5],
    [1, 60, 1],
  ])("a filter that passes %p of the rows takes ef_search %i", async (share, efSearch, said) => {
    const { deps, asked } = depsOf(
      Array.from({ length: 50 }, (_, i) => i),
      { state: { indexes: [tuned] }, matching: 500_000, ...(share !== undefined && { share }) },
    );
    const { plan } = await search(deps, { ...ofSongs, filter }, {});
    expect(plan.scan).toMatchObject({ efSearch });
    expect(plan.filterSelectivity).toBe(said);
    // What passes first need not be what is nearest.
    expect(asked[0]?.candidateLimit).toBe(4 * (asked[0]?.k as number));
  });
});
