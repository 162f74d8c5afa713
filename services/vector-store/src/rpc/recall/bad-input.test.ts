import { createClient } from "@connectrpc/connect";
import { describe, expect, test } from "@jest/globals";
import { RecallService, type QuerySource } from "@kindred/contracts/vector-store/v1";
import { createInMemoryTransport } from "@kindred/rpc";
import { problemsOf, silentLogger, untouchable } from "@kindred/testing";
import type { Collection } from "../../domain/collection.ts";
import { recallRoutes, type RecallDeps } from "./routes.ts";

const deps: RecallDeps = {
  // Lists look whether it is there before they read their tokens.
  collections: untouchable<RecallDeps["collections"]>("the collections", {
    get: async () => ({}) as Collection,
  }),
  operations: untouchable("the operations"),
  recall: untouchable("recall"),
  recallProbe: untouchable("the probe"),
  measureRecall: async () => {
    throw new Error("recall was measured");
  },
};
const transport = createInMemoryTransport(
  (router) => void router.service(RecallService, recallRoutes(deps)),
  {
    logger: silentLogger(),
  },
);
const recall = createClient(RecallService, transport);

describe("recall", () => {
  test.each<[string, object, string]>([
    [
      "no collection's name",
      { collection: "Songs!" },
      'collection must be 1 to 63 of a-z, 0-9 and _, beginning with a letter; is "Songs!"',
    ],
    ["a long index name", { indexName: "x".repeat(64) }, "index_name must be at most 63 characters, has 64"],
    ["too many hits", { k: 101 }, "k must be 1 to 100, or 0 for 10; is 101"],
    ["a negative effort", { effort: -1 }, "effort must be 1 to 32768, or 0 for what the target needs; is -1"],
    ["a target of 2", { recallTarget: 2 }, "recall_target must be above 0 and at most 1, is 2"],
    [
      "two ways to say how hard",
      { effort: 40, recallTarget: 0.9 },
      "recall_target has no meaning beside effort: name one of them",
    ],
    ["few queries", { queries: 9 }, "queries must be 10 to 10000, or 0 for 200; is 9"],
    ["queries from nowhere", { source: 9 as QuerySource }, "source must be a known QuerySource, is 9"],
    ["a share above 1", { filterSelectivity: 1.5 }, "filter_selectivity must be 0 to 1, is 1.5"],
    ["a share of NaN", { filterSelectivity: Number.NaN }, "filter_selectivity must be 0 to 1, is NaN"],
    [
      "no time",
      { maxDuration: { seconds: 0n, nanos: 0 } },
      "max_duration must be above 0 and at most 3600 seconds, is 0",
    ],
    ["no doubt", { confidence: 1 }, "confidence must be above 0.5 and below 1, is 1"],
  ])("is not measured with %s", async (_, bad, problem) => {
    expect(await problemsOf(recall.measureRecall(bad))).toEqual([problem]);
  });

  test("every bad field of a tuning is named", async () => {
    const bad = {
      collection: "9",
      indexName: "\0",
      queries: 49,
      maxDuration: { seconds: 90_000n, nanos: 0 },
      requestId: "x".repeat(201),
    };
    expect(await problemsOf(recall.startRecallTuning(bad))).toEqual([
      'collection must be 1 to 63 of a-z, 0-9 and _, beginning with a letter; is "9"',
      "index_name must not contain NUL characters",
      "queries must be 50 to 10000, or 0 for 400; is 49",
      "max_duration must be above 0 and at most 86400 seconds, is 90000",
      "request_id must be at most 200 characters, has 201",
    ]);
  });

  test("lists take their own tokens and sizes only", async () => {
    const token =
      "page_token is not a token of this list: give next_page_token as it was returned, with the same filters";
    expect(await problemsOf(recall.listRecallMeasurements({ pageToken: "two" }))).toEqual([token]);
    expect(await problemsOf(recall.listRecallEvents({ pageToken: "two" }))).toEqual([token]);
    expect(await problemsOf(recall.listRecallEvents({ pageSize: 1001 }))).toEqual([
      "page_size must be 1 to 1000, or 0 for 50; is 1001",
    ]);
    expect(await problemsOf(recall.getRecallCurves({ collection: "-" }))).toEqual([
      'collection must be 1 to 63 of a-z, 0-9 and _, beginning with a letter; is "-"',
    ]);
  });
});
