import { PassThrough } from "node:stream";
import { create } from "@bufbuild/protobuf";
import { describe, expect, test } from "@jest/globals";
import {
  ElementType,
  SearchMethod,
  SearchPlanSchema,
  SearchResponseSchema,
} from "@kindred/contracts/vector-store/v1";
import { createTerminal } from "../terminal/terminal.ts";
import { captionOf, describePlan, plainSearch, renderSearch } from "./render-search.ts";
import { packFloats } from "./vector-text.ts";

const terminal = createTerminal({ stdout: new PassThrough(), stderr: new PassThrough(), env: {} });

describe("pictures", () => {
  const hit = (id: bigint, text: string | undefined, description: string): object => ({
    image: { id, imagePath: `${id}.png`, description },
    similarity: 0.87654,
    metadata: text === undefined ? {} : { text },
  });

  test("rank, similarity, path, caption, and how they were found", () => {
    const reply = create(SearchResponseSchema, {
      hits: [hit(1n, "A cat sleeps.", "first caption"), hit(2n, undefined, "A dog runs.")],
      plan: { method: SearchMethod.HNSW, indexName: "embeddings_hnsw", efSearch: 200, complete: true },
      timings: { embed: { nanos: 5_000_000 }, database: { nanos: 2_500_000 } },
    });
    expect(renderSearch(terminal, reply, 9.4)).toBe(
      [
        " #  similarity  image_path  caption",
        " 1      0.8765  1.png       A cat sleeps.",
        " 2      0.8765  2.png       A dog runs.",
        " 2 hits · HNSW index embeddings_hnsw, ef_search 200 · 9.4 ms (embed 5 ms, database 2.5 ms)",
      ].join("\n"),
    );
  });

  test("none, and an answer that is not complete", () => {
    const reply = create(SearchResponseSchema, { plan: { method: SearchMethod.EXACT, complete: false } });
    expect(renderSearch(terminal, reply, 20)).toBe(
      " no picture was found\n 0 hits · exact: every row compared · 20 ms · there may be more hits than these",
    );
  });

  test("the caption is the text that was nearest, else the description", () => {
    const { hits } = create(SearchResponseSchema, { hits: [hit(1n, "near", "d"), hit(2n, undefined, "d")] });
    expect(hits.map(captionOf)).toEqual(["near", "d"]);
  });
});

describe("items of other collections", () => {
  const reply = create(SearchResponseSchema, {
    hits: [
      {
        key: "a",
        similarity: 0.9,
        document: "A song.",
        metadata: { year: 1990 },
        vector: packFloats([0.5, -1]).data,
        group: { kind: { case: "stringValue", value: "jazz" } },
        fusedScore: 0.0328,
        textRank: 2,
      },
      { key: "b", similarity: 0.5, metadata: { live: true }, fusedScore: 0.0164 },
    ],
    plan: {
      method: SearchMethod.EXACT,
      complete: true,
      rowsScanned: 1_200n,
      matchingRows: 1_200n,
      textMethod: "fts",
    },
  });
  const shape = { elementType: ElementType.VECTOR, dimensions: 2 };

  test("with groups, ranks and vectors where they were asked for", () => {
    expect(renderSearch(terminal, reply, 3, { images: false, hybrid: true, grouped: true, shape })).toBe(
      [
        " #  group   score  text rank  similarity  key  vector           item",
        ' 1  jazz   0.0328          2      0.9000  a    +0.5000 -1.0000  A song. {"year":1990}',
        ' 2         0.0164                 0.5000  b                     {"live":true}',
        " 2 hits · exact: every row compared · 1,200 rows compared · 1,200 rows under the filter · documents: fts · 3 ms",
      ].join("\n"),
    );
  });

  test("and without", () => {
    const [head, first] = renderSearch(terminal, reply, 3, {
      images: false,
      hybrid: false,
      grouped: false,
      shape: undefined,
    }).split("\n");
    expect([head, first]).toEqual([
      " #  similarity  key  item",
      ' 1      0.9000  a    A song. {"year":1990}',
    ]);
  });

  test("for programs: vectors as numbers, and no member for those that were not asked for", () => {
    const { hits } = plainSearch(reply, shape) as { hits: object[] };
    expect(hits).toMatchObject([{ key: "a", vector: [0.5, -1], text_rank: 2 }, { key: "b" }]);
    expect(hits[1]).not.toHaveProperty("vector");
    expect((plainSearch(reply, undefined) as { hits: object[] }).hits[0]).not.toHaveProperty("vector");
  });
});

test.each([
  [{ method: SearchMethod.IVFFLAT, indexName: "x", probes: 9 }, ["IVFFlat index x, probes 9"]],
  [
    { method: SearchMethod.HNSW, indexName: "x", efSearch: 40, iterative: true, matchingRows: 10_000n },
    [
      "HNSW index x, ef_search 40, further under the filter until there are enough",
      "at least 10,000 rows under the filter",
    ],
  ],
  [
    { method: SearchMethod.EXACT_FALLBACK, indexName: "x" },
    ["exact, because index x gave too few rows under the filter"],
  ],
  [
    { method: SearchMethod.IN_PROCESS, rowsScanned: 1n },
    ["exact, by the store itself (no pgvector)", "1 row compared"],
  ],
  [
    {
      method: SearchMethod.HNSW,
      indexName: "x",
      efSearch: 40,
      expectedRecall: 0.96789,
      recallTarget: 0.95,
      quantization: "binary",
      reranked: 400,
      filterSelectivity: 0.0513,
      replica: true,
    },
    [
      "HNSW index x, ef_search 40",
      "about 5.1 % of the rows pass the filter",
      "recall 0.9679 expected (target 0.95)",
      "one bit a number, 400 candidates compared again",
      "by a read replica",
    ],
  ],
  [
    {
      method: SearchMethod.DISKANN,
      indexName: "x",
      searchListSize: 100,
      recallTarget: 0.9,
      quantization: "none",
    },
    ["DiskANN index x, search list of 100", "recall not measured yet (target 0.9)"],
  ],
  [{ method: SearchMethod.EXACT, expectedRecall: 1 }, ["exact: every row compared"]],
])("the plan in words: %o", (plan, expected) => {
  expect(describePlan(create(SearchPlanSchema, plan))).toEqual(expected);
});
