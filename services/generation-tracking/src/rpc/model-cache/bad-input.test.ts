import { createClient } from "@connectrpc/connect";
import { expect, test } from "@jest/globals";
import { ModelCacheService } from "@kindred/contracts/generation-tracking/v1";
import { createInMemoryTransport } from "@kindred/rpc";
import { badFieldsOf, silentLogger, untouchable } from "@kindred/testing";
import type { ModelCacheStore } from "../../domain/model-cache.ts";
import { addModelCacheService } from "./routes.ts";

/** Bad input is refused before a store is asked. */
const store = untouchable<ModelCacheStore>("the store");
const client = createClient(
  ModelCacheService,
  createInMemoryTransport((router) => addModelCacheService(router, { modelCache: store }), {
    logger: silentLogger(),
  }),
);

const LONG = "x".repeat(501);

test.each<[string, () => Promise<unknown>, string[]]>([
  ["an empty model", () => client.registerModel({}), ["model_type", "model_name", "cache_path"]],
  [
    "texts that are too long, and a negative size",
    () => client.registerModel({ modelType: LONG, modelName: LONG, cachePath: LONG, sizeBytes: -1n }),
    ["model_type", "model_name", "cache_path", "size_bytes"],
  ],
  [
    "a key that no index holds",
    () =>
      client.registerModel({
        modelType: "t",
        modelName: "🦘".repeat(200),
        cachePath: "🦘".repeat(500),
      }),
    ["cache_path"],
  ],
  ["no id, and fewer than no uses", () => client.touchModel({ accesses: -1 }), ["id", "accesses"]],
  ["too many uses", () => client.touchModel({ id: 1n, accesses: 1_000_001 }), ["accesses"]],
  ["nothing to remove", () => client.removeModels({}), ["ids"]],
  ["too much to remove", () => client.removeModels({ ids: Array<bigint>(1001).fill(1n) }), ["ids"]],
  ["ids that are none", () => client.removeModels({ ids: [1n, 0n, -1n] }), ["ids[1]", "ids[2]"]],
  [
    "a budget below zero, and a time that is none",
    () => client.adviseEviction({ budgetBytes: -1n, keepUsedSince: { seconds: 0n, nanos: -1 } }),
    ["budget_bytes", "keep_used_since"],
  ],
  ["no findings", () => client.reportModelPaths({}), ["findings"]],
  [
    "findings that contradict each other or themselves",
    () =>
      client.reportModelPaths({
        findings: [
          { id: 1n, present: true, sizeBytes: -1n },
          { id: 1n, present: true },
          { id: 2n, present: false, sizeBytes: 1n },
          { present: true },
        ],
      }),
    ["findings[0].size_bytes", "findings[1].id", "findings[2].size_bytes", "findings[3].id"],
  ],
])("%s", async (_, call, fields) => {
  expect(await badFieldsOf(call())).toEqual(fields);
});
