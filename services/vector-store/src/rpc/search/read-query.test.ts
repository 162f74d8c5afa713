import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { describe, expect, test } from "@jest/globals";
import { Metric, SearchRequestSchema } from "@kindred/contracts/vector-store/v1";
import { isKindredError } from "@kindred/errors";
import { readQuery } from "./read-query.ts";

type Init = MessageInitShape<typeof SearchRequestSchema>;

const byText: Init = { query: { case: "text", value: "cat" } };
const byKey: Init = { collection: "songs", query: { case: "key", value: "1" } };
const read = (init: Init) => readQuery(create(SearchRequestSchema, init));

function problemsOf(init: Init, at?: string): string[] {
  try {
    readQuery(create(SearchRequestSchema, init), at);
  } catch (error) {
    if (isKindredError(error))
      return error.violations.map(({ field, description }) => `${field} ${description}`);
  }
  throw new Error("nothing was wrong with it");
}

test("what is not set has its default", () => {
  expect(read(byText)).toEqual({
    collection: "images",
    by: { kind: "text", text: "cat", field: "text" },
    k: 10,
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
    projection: { vector: false, metadata: "all", document: false },
  });
  expect(read({ ...byText, recallTarget: 0.9 }).recallTarget).toBe(0.9);
  expect(read(byText).maxStalenessMs).toBeUndefined();
  expect(read({ ...byText, maxStaleness: {} }).maxStalenessMs).toBe(0);
  expect(read({ ...byText, maxStaleness: { seconds: 2n, nanos: 500_000_000 } }).maxStalenessMs).toBe(2500);
  expect(read({ ...byText, hybrid: {} }).hybrid).toEqual({
    text: undefined,
    rankConstant: 60,
    textWeight: 1,
    candidates: 50,
  });
  expect(read({ ...byText, k: 100, offset: 50, diversity: {} }).diversity).toEqual({
    lambda: 0.5,
    candidates: 750,
  });
  expect(read({ ...byKey, groupBy: { field: { segments: ["a"] } } }).group).toEqual({ path: ["a"], size: 1 });
  expect(read(byKey).projection.document).toBe(true);
});

test("the catalogue's own conditions and the filter language hold together", () => {
  const where: Init["where"] = { condition: { case: "exists", value: { segments: ["width"] } } };
  expect(read({ ...byText, filter: { modelType: "clip", sourceDataset: "coco" }, where }).filter).toEqual({
    kind: "and",
    filters: [
      {
        kind: "and",
        filters: [
          { kind: "eq", path: ["model_type"], value: "clip" },
          { kind: "eq", path: ["source_dataset"], value: "coco" },
        ],
      },
      { kind: "exists", path: ["width"] },
    ],
  });
  expect(read({ ...byText, filter: {} }).filter).toBeUndefined();
});

test("several queries have a weight each, 1 where none is given", () => {
  const queries = [
    { query: { case: "text", value: "a" } },
    { query: { case: "key", value: "k" }, weight: -0.5 },
  ] as const;
  expect(
    read({ collection: "songs", query: { case: "several", value: { queries: [...queries] } } }).by,
  ).toEqual({
    kind: "several",
    field: "several",
    queries: [
      { source: { kind: "text", text: "a", field: "several.queries[0].text" }, weight: 1 },
      { source: { kind: "key", key: "k", field: "several.queries[1].key" }, weight: -0.5 },
    ],
  });
});

describe("bad fields are named", () => {
  test.each<[string, Init]>([
    ["query is required: text, vector, key, image_id or several", {}],
    ["text must not be empty", { query: { case: "text", value: "" } }],
    ["key must not be empty", { ...byKey, query: { case: "key", value: "" } }],
    [
      "key must be at most 512 characters, has 513",
      { ...byKey, query: { case: "key", value: "x".repeat(513) } },
    ],
    [
      'image_id can only be asked of "images"; use key',
      { collection: "songs", query: { case: "imageId", value: 1n } },
    ],
    ['hit_per_embedding has a meaning in "images" only', { ...byKey, hitPerEmbedding: true }],
    ['filter is for "images" only; use where', { ...byKey, filter: { modelType: "a" } }],
    ["k must be 1 to 1000, is 0", { ...byText, k: 0 }],
    ["k must be 1 to 1000, is 1001", { ...byText, k: 1001 }],
    ["offset must be 0 to 9990, is -1", { ...byText, offset: -1 }],
    ["offset must be 0 to 9990, is 9991", { ...byText, offset: 9991 }],
    ["threshold must be a finite number, is NaN", { ...byText, threshold: NaN }],
    ["metric must be a known Metric, is 99", { ...byText, metric: 99 as Metric }],
    ["ef_search must be 1 to 1000, or 0 for the store to choose; is 1001", { ...byText, efSearch: 1001 }],
    ["probes must be 1 to 32768, or 0 for the store to choose; is -1", { ...byText, probes: -1 }],
    ["probes cannot be given together with ef_search", { ...byText, probes: 1, efSearch: 1 }],
    ["recall_target must be above 0 and at most 1, is 0", { ...byText, recallTarget: 0 }],
    ["recall_target must be above 0 and at most 1, is 1.1", { ...byText, recallTarget: 1.1 }],
    ["recall_target must be above 0 and at most 1, is NaN", { ...byText, recallTarget: NaN }],
    [
      "recall_target cannot be given together with exact, which finds all",
      { ...byText, recallTarget: 0.9, exact: true },
    ],
    ["recall_target cannot be given together with ef_search", { ...byText, recallTarget: 0.9, efSearch: 9 }],
    ["recall_target cannot be given together with probes", { ...byText, recallTarget: 0.9, probes: 9 }],
    [
      "max_staleness must be 0 (asks the primary) or more, is -500 ms",
      { ...byText, maxStaleness: { seconds: -1n, nanos: 500_000_000 } },
    ],
    ["several.queries must be 1 to 64, are 0", { query: { case: "several", value: {} } }],
    [
      "several.queries[0].query is required: text, vector or key",
      { query: { case: "several", value: { queries: [{}] } } },
    ],
    [
      "several.queries[0].weight must be a finite number other than 0, is 0",
      {
        query: { case: "several", value: { queries: [{ query: { case: "text", value: "a" }, weight: 0 }] } },
      },
    ],
    [
      "group_by.group_size must be 1 to 100, or 0 for 1; is 101",
      { ...byKey, groupBy: { field: { segments: ["a"] }, groupSize: 101 } },
    ],
    ["hybrid.text is required where the query is no text", { ...byKey, hybrid: {} }],
    [
      "hybrid.rank_constant must be a finite number above 0, is 0",
      { ...byText, hybrid: { rankConstant: 0 } },
    ],
    ["hybrid.text_weight must be a finite number above 0, is -1", { ...byText, hybrid: { textWeight: -1 } }],
    [
      "hybrid.candidates must be offset + k (10) to 10000, or 0 for the store to choose; is 9",
      { ...byText, hybrid: { candidates: 9 } },
    ],
    ["diversity.lambda must be 0 to 1, is 1.5", { ...byText, diversity: { lambda: 1.5 } }],
    ["diversity cannot be given together with hybrid", { ...byText, diversity: {}, hybrid: {} }],
    [
      "group_by.group_size must be 1 together with hybrid or diversity",
      { ...byKey, groupBy: { field: { segments: ["a"] }, groupSize: 2 }, diversity: {} },
    ],
    [
      "projection.metadata_fields cannot be given together with omit_metadata",
      { ...byText, projection: { omitMetadata: true, metadataFields: ["a"] } },
    ],
  ])("%s", (problem, init) => {
    expect(problemsOf(init)).toEqual([problem]);
  });

  test("where they stand in a batch", () => {
    expect(problemsOf({ ...byText, k: 0 }, "searches[3].")).toEqual([
      "searches[3].k must be 1 to 1000, is 0",
    ]);
    const where: Init["where"] = { condition: { case: "prefix", value: { field: { segments: ["a"] } } } };
    expect(problemsOf({ ...byText, where }, "searches[3].")).toEqual([
      expect.stringMatching(/^searches\[3\]\.where\.prefix\.prefix /),
    ]);
  });
});
