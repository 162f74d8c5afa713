import { createClient } from "@connectrpc/connect";
import { describe, expect, test } from "@jest/globals";
import { GenerationService, GenerationStatus, OutputState } from "@kindred/contracts/generation-tracking/v1";
import { createInMemoryTransport } from "@kindred/rpc";
import { silentLogger, untouchable, violationsOf as fieldViolationsOf } from "@kindred/testing";
import type { GenerationLives } from "../domain/generation-lives.ts";
import type { GenerationStore } from "../domain/generation-store.ts";
import type { GenerationWatches } from "../domain/generation-watches.ts";
import { lifeRpcs } from "./life-rpcs.ts";

/** Bad input is refused before a store is asked. */
const store = untouchable<GenerationStore & GenerationLives & Pick<GenerationWatches, "watch">>("the store");
const transport = createInMemoryTransport(
  (router) => router.service(GenerationService, lifeRpcs({ store, lives: store, watches: store })),
  { logger: silentLogger() },
);
const client = createClient(GenerationService, transport);

const violationsOf = async (call: Promise<unknown>): Promise<[string, string][]> =>
  (await fieldViolationsOf(call)).map(({ field, description }) => [field, description]);

test("a start refuses what only the end tells, and leases that are none", async () => {
  const violations = await violationsOf(
    client.startGeneration({
      generation: {
        prompt: "x",
        status: GenerationStatus.COMPLETED,
        errorMessage: "x",
        generationTimeMs: 0,
        memoryUsageMb: 0,
        outputPath: "x",
        outputs: [{ path: "x" }],
      },
      lease: { seconds: 0n, nanos: 999_999_999 },
      idempotencyKey: "k".repeat(201),
    }),
  );
  expect(violations.map(([field]) => field)).toEqual([
    "idempotency_key",
    "lease",
    "generation.status",
    "generation.error_message",
    "generation.generation_time_ms",
    "generation.memory_usage_mb",
    "generation.output_path",
    "generation.outputs",
  ]);
  for (const lease of [
    { seconds: 86_400n, nanos: 1000 },
    { seconds: -1n, nanos: 0 },
    { seconds: 2n, nanos: -1 },
  ]) {
    const [violation] = await violationsOf(client.startGeneration({ generation: { prompt: "x" }, lease }));
    expect(violation).toEqual(["lease", "must be 1 second to 1 day"]);
  }
  expect(await violationsOf(client.startGeneration({}))).toEqual([["generation", "is required"]]);
});

test("settings out of range, each named", async () => {
  const violations = await violationsOf(
    client.startGeneration({
      generation: {
        prompt: "x",
        negativePrompt: "\0",
        sampler: "s".repeat(101),
        width: 0,
        height: 65_537,
        modelName: "m".repeat(201),
        modelHash: "m".repeat(129),
        batchId: "b".repeat(101),
        parentId: 0n,
        sessionId: "s".repeat(101),
        labels: ["ok", "", "l".repeat(101)],
        rating: 6,
        retrievedExamples: [{ rank: 2 }, { rank: 2 }, { rank: -1 }],
        retrieval: { k: -1, threshold: Number.NaN, efSearch: -1, probes: -1, expectedRecall: 1.5 },
      },
    }),
  );
  expect(violations.map(([field]) => field.replace("generation.", ""))).toEqual([
    "negative_prompt",
    "sampler",
    "width",
    "height",
    "model_name",
    "model_hash",
    "batch_id",
    "parent_id",
    "session_id",
    "rating",
    "labels[1]",
    "labels[2]",
    "retrieved_examples[1].rank",
    "retrieved_examples[2].rank",
    "retrieval.k",
    "retrieval.threshold",
    "retrieval.ef_search",
    "retrieval.probes",
    "retrieval.expected_recall",
  ]);
  const labels = Array.from({ length: 101 }, (_, i) => String(i));
  expect(await violationsOf(client.recordGeneration({ generation: { prompt: "x", labels } }))).toEqual([
    ["generation.labels", "must be at most 100, are 101"],
  ]);
});

test("recording refuses what runs", async () => {
  expect(
    await violationsOf(
      client.recordGeneration({ generation: { prompt: "x", status: GenerationStatus.RUNNING } }),
    ),
  ).toEqual([["generation.status", "must be how it ended: begin one that runs by StartGeneration"]]);
});

describe("outputs", () => {
  test("are refused with paths, hashes, sizes and states that are none", async () => {
    const violations = await violationsOf(
      client.completeGeneration({
        id: 1n,
        outputPath: "other",
        outputs: [
          { path: "", sizeBytes: -1n, sha256: new Uint8Array(31), state: 9 as OutputState },
          { path: "p".repeat(501), verifiedAt: { seconds: 0n, nanos: -1 } },
        ],
      }),
    );
    expect(violations).toEqual([
      ["output_path", "must be empty or the path of the first of outputs"],
      ["outputs[0].path", "must not be empty"],
      ["outputs[0].size_bytes", "must not be negative, is -1"],
      ["outputs[0].sha256", "must be 32 bytes or none, is 31"],
      ["outputs[0].state", "must be a known OutputState, is 9"],
      ["outputs[1].path", "must be at most 500 characters, has 501"],
      ["outputs[1].verified_at", "must be a time of the years 1 to 9999 with 0 to 999999999 nanos"],
    ]);
  });

  test("are 100 at most", async () => {
    const outputs = Array.from({ length: 101 }, (_, i) => ({ path: String(i) }));
    expect(await violationsOf(client.completeGeneration({ id: 1n, outputs }))).toEqual([
      ["outputs", "must be at most 100, are 101"],
    ]);
  });
});

test("ends, progress and changes that are none", async () => {
  expect(
    await violationsOf(
      client.completeGeneration({
        id: 0n,
        generationTimeMs: -1,
        memoryUsageMb: Number.NaN,
        modelConfig: { a: "\0" },
      }),
    ),
  ).toEqual([
    ["id", "must be at least 1, is 0"],
    ["generation_time_ms", "must not be negative, is -1"],
    ["memory_usage_mb", "must be a finite number, is NaN"],
    ["model_config.a", "must not contain NUL characters"],
  ]);
  expect(await violationsOf(client.failGeneration({ id: 1n }))).toEqual([
    ["error_message", "must not be empty"],
  ]);
  expect(await violationsOf(client.cancelGeneration({ id: -1n }))).toEqual([
    ["id", "must be at least 1, is -1"],
  ]);
  expect(
    await violationsOf(
      client.reportProgress({ id: 1n, progress: { done: -1, total: -1, message: "x".repeat(201) } }),
    ),
  ).toEqual([
    ["progress.done", "must not be negative, is -1"],
    ["progress.total", "must not be negative, is -1"],
    ["progress.message", "must be at most 200 characters, has 201"],
  ]);
  expect(await violationsOf(client.updateGeneration({ id: 1n }))).toEqual([
    ["update_mask", "must name what to change, of labels, rating, session_id"],
  ]);
  expect(
    await violationsOf(client.updateGeneration({ id: 1n, updateMask: { paths: ["rating", "prompt"] } })),
  ).toEqual([["update_mask", 'must be of labels, rating, session_id, has "prompt"']]);
  expect(await violationsOf(client.deleteGenerations({}))).toEqual([["ids", "must be 1 to 1000, are 0"]]);
  expect(await violationsOf(client.deleteGenerations({ ids: [1n, 0n] }))).toEqual([
    ["ids[1]", "must be at least 1, is 0"],
  ]);
  await expect(Array.fromAsync(client.watchGeneration({ id: 0n }))).rejects.toMatchObject({
    kind: "invalid-argument",
  });
});
