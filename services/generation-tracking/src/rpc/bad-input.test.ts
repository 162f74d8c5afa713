import type { MessageInitShape } from "@bufbuild/protobuf";
import { createClient } from "@connectrpc/connect";
import { describe, expect, test } from "@jest/globals";
import {
  GenerationService,
  ModelCacheService,
  type GenerationFieldsSchema,
  type GenerationStatus,
  type ListGenerationsRequestSchema,
  type ModelCacheEventSchema,
} from "@kindred/contracts/generation-tracking/v1";
import type { FieldViolation } from "@kindred/errors";
import { createInMemoryTransport } from "@kindred/rpc";
import { errorOf, silentLogger, untouchable } from "@kindred/testing";
import type { GenerationLists } from "../domain/generation-lists.ts";
import type { GenerationLives } from "../domain/generation-lives.ts";
import type { GenerationWatches } from "../domain/generation-watches.ts";
import type { GenerationStore } from "../domain/generation-store.ts";
import type { ModelCacheStore } from "../domain/model-cache.ts";
import type { ExampleSource, LineageStore } from "../domain/lineage/ports.ts";
import type { Outbox } from "../domain/outbox/outbox.ts";
import type { PromptCollection } from "../domain/prompts/prompt-collection.ts";
import type { FilteredIds } from "../domain/prompts/search-prompts.ts";
import type { SessionStore } from "../domain/sessions/session.ts";
import type { ExportDeps } from "./export-generations.ts";
import type { UsageDeps } from "./get-database-usage.ts";
import type { RetentionDeps } from "./retention/routes.ts";
import { generationRoutes } from "./routes.ts";

type PromptPorts = PromptCollection & Outbox & FilteredIds;
/** Bad input is refused before a store is asked: these fail the test when they are. */
type Everything = GenerationStore &
  GenerationLives &
  Pick<GenerationWatches, "watch"> &
  GenerationLists &
  ExportDeps["encoders"] &
  ModelCacheStore &
  SessionStore &
  UsageDeps &
  LineageStore &
  ExampleSource &
  PromptPorts &
  RetentionDeps["operations"] &
  RetentionDeps["policies"] &
  RetentionDeps["runs"] &
  Pick<RetentionDeps, "cancelOperations">;
/** Bad input is refused before a store is asked. */
const store = untouchable<Everything>("the store");

const transport = createInMemoryTransport(
  generationRoutes({
    store,
    lives: store,
    watches: store,
    lists: store,
    encoders: store,
    exportsAtOnce: 1,
    modelCache: store,
    lineage: store,
    examples: store,
    prompts: {
      collection: store,
      outbox: store,
      store,
      filtered: store,
      onMissing: () => {},
    },
    retention: {
      operations: store,
      policies: store,
      runs: store,
      cancelOperations: store.cancelOperations,
    },
    sessions: store,
    idleTimeoutMs: 1,
    usage: store.usage,
  }),
  { logger: silentLogger() },
);
const client = createClient(GenerationService, transport);
const modelCache = createClient(ModelCacheService, transport);

async function violationsOf(call: Promise<unknown>): Promise<readonly FieldViolation[]> {
  const error = await errorOf(call);
  expect(error.kind).toBe("invalid-argument");
  for (const { field } of error.violations) expect(error.message).toContain(field);
  return error.violations;
}

type Fields = MessageInitShape<typeof GenerationFieldsSchema>;
const UNKNOWN_STATUS = 9 as GenerationStatus;
const INT64_MIN = -(2n ** 63n);

describe("RecordGeneration refuses", () => {
  const bad: [
    name: string,
    fields: Partial<Fields>,
    ...violations: [field: string, description: string][],
  ][] = [
    ["an empty prompt", { prompt: "" }, ["prompt", "must not be empty"]],
    [
      "a prompt of more than 1 MiB",
      { prompt: "a".repeat(2 ** 20 + 1) },
      ["prompt", "must be at most 1048576 bytes of UTF-8, has 1048577"],
    ],
    ["a prompt with NUL", { prompt: "a\0b" }, ["prompt", "must not contain NUL characters"]],
    [
      "an augmented prompt of 10 MiB",
      { augmentedPrompt: "ä".repeat(5 * 2 ** 20) },
      ["augmented_prompt", "must be at most 1048576 bytes of UTF-8, has 10485760"],
    ],
    [
      "a path of 501 characters",
      { outputPath: "x".repeat(501) },
      ["output_path", "must be at most 500 characters, has 501"],
    ],
    [
      "a path of 501 characters outside the BMP",
      { outputPath: "🦘".repeat(501) },
      ["output_path", "must be at most 500 characters, has 501"],
    ],
    ["negative steps", { numInferenceSteps: -1 }, ["num_inference_steps", "must not be negative, is -1"]],
    [
      "a scale that is no number",
      { guidanceScale: Number.NaN },
      ["guidance_scale", "must be a finite number, is NaN"],
    ],
    [
      "an infinite scale",
      { guidanceScale: -Infinity },
      ["guidance_scale", "must be a finite number, is -Infinity"],
    ],
    ["a negative time", { generationTimeMs: -5 }, ["generation_time_ms", "must not be negative, is -5"]],
    ["negative memory", { memoryUsageMb: -0.5 }, ["memory_usage_mb", "must not be negative, is -0.5"]],
    [
      "infinite memory",
      { memoryUsageMb: Infinity },
      ["memory_usage_mb", "must be a finite number, is Infinity"],
    ],
    ["an unknown status", { status: UNKNOWN_STATUS }, ["status", "must be a known GenerationStatus, is 9"]],
    [
      "an error of a completed generation",
      { errorMessage: "oops" },
      ["error_message", "must be empty unless status is GENERATION_STATUS_FAILED"],
    ],
    [
      "NaN in the configuration",
      { modelConfig: { a: [{ b: Number.NaN }] } },
      ["model_config.a[0].b", "must be a finite number, is NaN"],
    ],
    [
      "NUL in the configuration",
      { modelConfig: { a: "\0" } },
      ["model_config.a", "must not contain NUL characters"],
    ],
    [
      "NUL in a key",
      { modelConfig: { x: { "a\0": 1 } } },
      ["model_config.x", "must not contain NUL characters in its keys"],
    ],
    [
      "a configuration of more than 1 MiB",
      { modelConfig: { a: "x".repeat(2 ** 20) } },
      ["model_config", "must be at most 1048576 bytes of JSON, has 1048584"],
    ],
    [
      "1,001 examples",
      { retrievedExamples: Array.from({ length: 1001 }, () => ({ similarity: Number.NaN })) },
      ["retrieved_examples", "must be at most 1000, are 1001"],
    ],
    [
      "a bad example",
      {
        retrievedExamples: [
          {},
          { imageId: INT64_MIN, similarity: Number.NaN, imagePath: "x".repeat(501), caption: "\0" },
        ],
      },
      ["retrieved_examples[1].image_id", `must not be negative, is ${INT64_MIN}`],
      ["retrieved_examples[1].image_path", "must be at most 500 characters, has 501"],
      ["retrieved_examples[1].caption", "must not contain NUL characters"],
      ["retrieved_examples[1].similarity", "must be a finite number, is NaN"],
    ],
  ];

  test.each(bad)("%s", async (_, fields, ...violations) => {
    const call = client.recordGeneration({
      generation: { prompt: "fine", ...fields } as Fields,
      idempotencyKey: "k",
    });
    expect(await violationsOf(call)).toEqual(
      violations.map(([field, description]) => ({ field: `generation.${field}`, description })),
    );
  });

  test("no generation, and a key that is too long, at once", async () => {
    expect(await violationsOf(client.recordGeneration({ idempotencyKey: "k".repeat(201) }))).toEqual([
      { field: "generation", description: "is required" },
      { field: "idempotency_key", description: "must be at most 200 characters, has 201" },
    ]);
  });

  test.each([
    [
      "in the future",
      { seconds: BigInt(Math.ceil(Date.now() / 1_000)) + 3_600n, nanos: 0 },
      "must not be in the future",
    ],
    [
      "of no year",
      { seconds: -(2n ** 62n), nanos: 0 },
      "must be a time of the years 1 to 9999 with 0 to 999999999 nanos",
    ],
  ])("a time that is %s", async (_, createdAt, description) => {
    expect(
      await violationsOf(client.recordGeneration({ generation: { prompt: "fine" }, createdAt })),
    ).toEqual([{ field: "created_at", description }]);
  });

  test("several bad fields, all named", async () => {
    const call = client.recordGeneration({ generation: { generationTimeMs: -1, memoryUsageMb: Number.NaN } });
    expect((await violationsOf(call)).map((v) => v.field)).toEqual([
      "generation.prompt",
      "generation.generation_time_ms",
      "generation.memory_usage_mb",
    ]);
  });
});

test.each([0n, -1n, INT64_MIN])("GetGeneration refuses the id %d", async (id) => {
  expect(await violationsOf(client.getGeneration({ id }))).toEqual([
    { field: "id", description: `must be at least 1, is ${id}` },
  ]);
});

describe("ListGenerations refuses", () => {
  const bad: [string, MessageInitShape<typeof ListGenerationsRequestSchema>, string][] = [
    ["a negative page size", { pageSize: -1 }, "page_size"],
    ["a page of 1,001", { pageSize: 1001 }, "page_size"],
    ["garbage for a token", { pageToken: "!" }, "page_token"],
    ["an unknown status", { status: UNKNOWN_STATUS }, "status"],
    ["a part of 1,001 characters", { promptContains: "x".repeat(1001) }, "prompt_contains"],
    ["a part with NUL", { promptContains: "\0" }, "prompt_contains"],
    ["a time before the year 1", { createdAfter: { seconds: -62_135_596_801n } }, "created_after"],
    ["a time after the year 9999", { createdBefore: { seconds: 253_402_300_800n } }, "created_before"],
    ["a billion nanoseconds", { createdBefore: { seconds: 1n, nanos: 1_000_000_000 } }, "created_before"],
    ["negative nanoseconds", { createdAfter: { seconds: 1n, nanos: -1 } }, "created_after"],
    [
      "times in the wrong order",
      { createdAfter: { seconds: 2n }, createdBefore: { seconds: 1n } },
      "created_after",
    ],
  ];

  test.each(bad)("%s", async (_, request, field) => {
    expect((await violationsOf(client.listGenerations(request))).map((v) => v.field)).toEqual([field]);
  });
});

describe("ReportModelCache refuses", () => {
  type Event = MessageInitShape<typeof ModelCacheEventSchema>;
  const good: Event = { modelType: "text-embedding", modelName: "m", cachePath: "/cache/m" };
  const inADay = BigInt(Math.floor(Date.now() / 1000) + 25 * 3600);
  const bad: [name: string, event: Partial<Event>, ...violations: [field: string, description: string][]][] =
    [
      ["an empty model type", { modelType: "" }, ["model_type", "must not be empty"]],
      [
        "a model type of 51 characters",
        { modelType: "🦘".repeat(51) },
        ["model_type", "must be at most 50 characters, has 51"],
      ],
      ["an empty name", { modelName: "" }, ["model_name", "must not be empty"]],
      [
        "a name of 201 characters",
        { modelName: "x".repeat(201) },
        ["model_name", "must be at most 200 characters, has 201"],
      ],
      ["a name with NUL", { modelName: "a\0b" }, ["model_name", "must not contain NUL characters"]],
      ["an empty path", { cachePath: "" }, ["cache_path", "must not be empty"]],
      [
        "a path of 501 characters",
        { cachePath: "x".repeat(501) },
        ["cache_path", "must be at most 500 characters, has 501"],
      ],
      [
        "a key that no index can hold",
        { modelName: "🦘".repeat(200), cachePath: "🦘".repeat(500) },
        [
          "cache_path",
          "must be at most 2600 bytes of UTF-8 together with model_type and model_name, which are 2814",
        ],
      ],
      ["a negative size", { sizeBytes: -1n }, ["size_bytes", "must not be negative, is -1"]],
      ["negative accesses", { accesses: -1 }, ["accesses", "must not be negative, is -1"]],
      [
        "a time before the year 1",
        { lastAccessed: { seconds: -62_135_596_801n } },
        ["last_accessed", "must be a time of the years 1 to 9999 with 0 to 999999999 nanos"],
      ],
      [
        "a time to come",
        { lastAccessed: { seconds: inADay } },
        ["last_accessed", "must not be more than 24 hours ahead"],
      ],
      [
        "several bad fields, all named",
        { modelType: "", cachePath: "\0", accesses: -5 },
        ["model_type", "must not be empty"],
        ["cache_path", "must not contain NUL characters"],
        ["accesses", "must not be negative, is -5"],
      ],
    ];

  test.each(bad)("%s", async (_, event, ...violations) => {
    const call = modelCache.reportModelCache({ events: [good, { ...good, ...event } as Event] });
    expect(await violationsOf(call)).toEqual(
      violations.map(([field, description]) => ({ field: `events[1].${field}`, description })),
    );
  });

  test.each([0, 1001])("%d events", async (count) => {
    const call = modelCache.reportModelCache({ events: Array.from({ length: count }, () => good) });
    expect(await violationsOf(call)).toEqual([
      { field: "events", description: `must be 1 to 1000, are ${count}` },
    ]);
  });
});

describe("SearchPrompts refuses", () => {
  test.each([
    ["no query", {}, ["query"]],
    ["a query with NUL", { query: "a\0b" }, ["query"]],
    ["a k that is negative", { query: "a", k: -1 }, ["k"]],
    ["a k above 1,000", { query: "a", k: 1001 }, ["k"]],
    [
      "a threshold that is no number, and a bad filter",
      { query: "a", threshold: NaN, filter: { parentId: 0n } },
      ["threshold", "filter.parent_id"],
    ],
  ])("%s", async (_, request, fields) => {
    const violations = await violationsOf(client.searchPrompts(request));
    expect(violations.map(({ field }) => field).toSorted()).toEqual(fields.toSorted());
  });
});
