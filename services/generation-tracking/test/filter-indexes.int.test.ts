import { beforeAll, expect, test } from "@jest/globals";
import { pageStatement } from "../src/adapters/postgres/generation-page.ts";
import {
  NEWEST_FIRST,
  type GenerationFilter,
  type GenerationOrder,
  type ListPosition,
} from "../src/domain/generation-filter.ts";
import { useFixture } from "./use-fixture.ts";

const fixture = useFixture({ clear: false });
beforeAll(async () => {
  await fixture.db.query(`
    INSERT INTO generations (prompt, negative_prompt, status, error_message, created_at, model_name, model_hash, sampler, session_id, batch_id,
      parent_id, labels, rating, seed, num_inference_steps, guidance_scale, generation_time_ms, memory_usage_mb, width, height, model_config,
      output_path, retrieved_examples)
    SELECT 'prompt number n' || i, 'without n' || i, 'failed', 'error n' || i, date_trunc('second', now()) - i * INTERVAL '1 minute', 'm' || i, 'h' || i, 's' || i, 'e' || i, 'b' || i,
           i, ARRAY['l' || i], 1 + i % 5, i, i, i, i, i, i, i, jsonb_build_object('a', i, 'k' || i, 1),
           '/media/' || i, jsonb_build_array(jsonb_build_object('image_id', i, 'image_path', 'p'))
      FROM generate_series(1, 6000) i`);
  for (const table of ["generations", "generation_examples", "generation_outputs"])
    await fixture.db.query(`VACUUM ANALYZE ${table}`);
}, 120_000);

async function planOf(filter: GenerationFilter, order: GenerationOrder = NEWEST_FIRST): Promise<string> {
  const { text, values } = pageStatement({ filters: [filter], order, after: undefined, limit: 51 });
  const { rows } = await fixture.db.query<{ "QUERY PLAN": string }>(`EXPLAIN ${text}`, values);
  return rows.map((row) => row["QUERY PLAN"]).join("\n");
}

const one = { min: 17, max: 17 };
const few = { min: 17, max: 19 };
const FILTERS: readonly [string, GenerationFilter, string][] = [
  ["nothing", {}, "created_at_idx"],
  ["a status", { status: ["failed"] }, "status_idx"],
  ["a time", { createdBeforeMicros: 0n }, "created_at_idx"],
  ["words", { promptWords: "n17" }, "prompt_words_idx"],
  ["a model", { modelName: ["m17"] }, "model_name_idx"],
  ["several models", { modelName: ["m17", "m18"] }, "model_name_idx"],
  ["a hash", { modelHash: ["h17"] }, "model_hash_idx"],
  ["a sampler", { sampler: ["s17"] }, "sampler_idx"],
  ["a session", { sessionId: "e17" }, "session_id_idx"],
  ["a batch", { batchId: "b17" }, "batch_id_idx"],
  ["a parent", { parentId: 17n }, "parent_id_idx"],
  ["a label", { labels: ["l17"] }, "labels_idx"],
  ["a rating", { rating: { min: 5, max: 5 } }, "rating_idx"],
  ["a seed", { seed: 17n }, "seed_idx"],
  ["steps", { numInferenceSteps: few }, "num_inference_steps_idx"],
  ["a scale", { guidanceScale: few }, "guidance_scale_idx"],
  ["a duration", { generationTimeMs: one }, "generation_time_ms_"],
  ["a memory", { memoryUsageMb: few }, "memory_usage_mb_"],
  ["a width", { width: one }, "width_idx"],
  ["a height", { height: few }, "height_idx"],
  ["a member", { modelConfig: [{ path: ["a"], equals: 17 }] }, "model_config_idx"],
  ["a member's being there", { modelConfig: [{ path: ["k17"] }] }, "model_config_keys_idx"],
  ["a folder", { outputPathPrefix: "/media/17" }, "output_path_idx"],
  ["an image", { imageId: 17n }, "generation_examples_image_id_idx"],
  ["a missing file", { outputState: "missing" }, "generation_outputs_state_idx"],
];

test.each(FILTERS)("generations with %s are found by an index", async (_, filter, index) => {
  expect(await planOf(filter)).toContain(index);
});

const TEXTS: readonly [string, GenerationFilter][] = [
  ["prompt", { promptContains: "number n17" }],
  ["negative_prompt", { negativePromptContains: "without n17" }],
  ["error_message", { errorContains: "error n17" }],
];

test.each(TEXTS)("a part of %s is found by trigrams, where the server has them", async (column, filter) => {
  const isThere = (await fixture.db.refreshCapabilities()).extensions.has("pg_trgm");
  if (!isThere) process.stdout.write(`not run: parts of ${column} by an index, which needs pg_trgm\n`);
  expect((await planOf(filter)).includes(`generations_${column}_trigrams_idx`)).toBe(isThere);
});

test.each([
  ["newest first", false],
  ["oldest first", true],
])(
  "a range is listed %s, also what lies further back than is looked through at first",
  async (_, ascending) => {
    const order: GenerationOrder = { key: "created_at", ascending };
    const filters: GenerationFilter[] = [{ width: { min: 2990, max: 3110 } }];
    const found: number[] = [];
    let after: ListPosition | undefined;
    for (;;) {
      const { text, values } = pageStatement({ filters, order, after, limit: 51 });
      const { rows } = await fixture.db.query<{ id: string; created_at: Date }>(text, values);
      found.push(...rows.map(({ id }) => Number(id)));
      const last = rows.at(-1);
      if (!last) break;
      after = { id: BigInt(last.id), value: BigInt(last.created_at.getTime()) * 1000n };
    }
    // The first one is the newest.
    const expected = Array.from({ length: 121 }, (__, i) => 2990 + i);
    expect(found).toEqual(ascending ? expected.toReversed() : expected);
  },
);

test.each(["created_at", "generation_time_ms", "memory_usage_mb", "rating"] as const)(
  "lists by %s are read in the order of an index, both ways",
  async (key) => {
    for (const ascending of [false, true]) {
      const plan = await planOf({}, { key, ascending });
      expect(plan).toContain(`generations_${key}_`);
      // Ties of a time may be sorted, a few at once; the whole is not.
      expect(plan).not.toMatch(/(?<!Incremental )Sort {2}\(/);
    }
  },
);
