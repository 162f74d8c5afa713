import { create, toBinary, type MessageInitShape } from "@bufbuild/protobuf";
import { describe, expect, test } from "@jest/globals";
import {
  GenerationFieldsSchema,
  GenerationStatus,
  OutputState,
  type Generation,
} from "@kindred/contracts/generation-tracking/v1";
import { errorOf } from "@kindred/testing";
import { timestampMs } from "@bufbuild/protobuf/wkt";
import { useFixture } from "./use-fixture.ts";

type Fields = MessageInitShape<typeof GenerationFieldsSchema>;

const fixture = useFixture();

const record = async (generation: Fields, idempotencyKey = ""): Promise<Generation> =>
  (await fixture.client.recordGeneration({ generation, idempotencyKey })).generation as Generation;

async function rowCount(): Promise<number> {
  const { rows } = await fixture.db.query<{ n: number }>("SELECT count(*)::int AS n FROM generations");
  return rows[0]?.n as number;
}

const FULL: Fields = {
  prompt: "Ein Känguru 🦘 im Regen",
  augmentedPrompt: "a kangaroo in the rain, like: …",
  outputPath: `out/${"🦘".repeat(496)}`,
  seed: -9_223_372_036_854_775_808n,
  numInferenceSteps: 50,
  guidanceScale: 7.25,
  generationTimeMs: 2_147_483_647,
  memoryUsageMb: 0.1,
  modelConfig: { model: "sd-1.5", nested: { list: [1, null, true, "x"], empty: {} }, tiny: 1e-300 },
  retrievedExamples: [
    {
      imageId: 9_223_372_036_854_775_807n,
      imagePath: "gallery/a.png",
      caption: "ein Tier",
      similarity: 0.87,
      rank: 1,
    },
    { imageId: 2n, imagePath: "gallery/b.png", caption: "", similarity: -0.1, rank: 3 },
  ],
  status: GenerationStatus.FAILED,
  errorMessage: "out of memory",
  negativePrompt: "Wolken",
  sampler: "euler_a",
  width: 65_536,
  height: 1,
  modelName: "Stable Diffusion",
  modelHash: "e3b0c44298fc1c14",
  batchId: "batch 7",
  sessionId: "nobody's",
  labels: ["zoo", "draft", "ä, b"],
  rating: 5,
  retrieval: {
    query: "Känguru",
    k: 5,
    threshold: 0,
    spaceId: "minilm",
    method: "hnsw",
    indexName: "images_hnsw",
    efSearch: 200,
    probes: 0,
    expectedRecall: 0.953,
  },
  outputs: [
    {
      path: `out/${"🦘".repeat(496)}`,
      sizeBytes: 9_223_372_036_854_775_807n,
      sha256: new Uint8Array(32).fill(0xfe),
      state: OutputState.CHANGED,
      verifiedAt: { seconds: 1_700_000_000n, nanos: 123_456_000 },
    },
    { path: "out/2.png" },
  ],
};

describe("recording", () => {
  test("everything that is recorded is read back as it was, at 64 bits", async () => {
    const before = Date.now();
    const stored = await record(FULL);
    const { generation } = await fixture.client.getGeneration({ id: stored.id });
    expect(generation).toEqual(stored);
    const { id, createdAt, $typeName: _, ...fields } = generation as Generation;
    expect(id).toBeGreaterThan(0n);
    expect(create(GenerationFieldsSchema, fields)).toEqual(create(GenerationFieldsSchema, FULL));
    expect(Math.abs(timestampMs(createdAt as NonNullable<typeof createdAt>) - before)).toBeLessThan(60_000);
  });

  test("what was not given stays not given; zeros are values", async () => {
    const { id } = await record({ prompt: "x" });
    const { generation } = await fixture.client.getGeneration({ id });
    for (const field of [
      "seed",
      "numInferenceSteps",
      "guidanceScale",
      "generationTimeMs",
      "memoryUsageMb",
      "modelConfig",
    ] as const) {
      expect(generation?.[field]).toBeUndefined();
    }
    expect(generation).toMatchObject({
      augmentedPrompt: "",
      status: GenerationStatus.COMPLETED,
      retrievedExamples: [],
    });
    const zeros = await record({
      prompt: "x",
      seed: 0n,
      generationTimeMs: 0,
      memoryUsageMb: 0,
      guidanceScale: 0,
    });
    expect(zeros).toMatchObject({ seed: 0n, generationTimeMs: 0, memoryUsageMb: 0, guidanceScale: 0 });
    const { rows } = await fixture.db.query(
      "SELECT augmented_prompt, error_message, status FROM generations",
    );
    expect(rows[0]).toEqual({ augmented_prompt: null, error_message: null, status: "completed" });
  });

  test("a time of elsewhere is kept to the microsecond, also before 1970", async () => {
    for (const createdAt of [
      { seconds: 1_700_000_000n, nanos: 123_456_000 },
      { seconds: -62_135_596_800n, nanos: 1_000 },
    ]) {
      const reply = await fixture.client.recordGeneration({ generation: { prompt: "x" }, createdAt });
      expect(reply.generation?.createdAt).toMatchObject(createdAt);
      const { generation } = await fixture.client.getGeneration({ id: reply.generation?.id ?? 0n });
      expect(generation).toEqual(reply.generation);
    }
  });

  test("it is over when it was recorded, whatever its time; the configuration names the model where nothing else does", async () => {
    const createdAt = { seconds: 1_700_000_000n, nanos: 1_000 };
    const { generation } = await fixture.client.recordGeneration({
      generation: { prompt: "x", modelConfig: { name: "second", model: "first" } },
      createdAt,
    });
    expect(generation).toMatchObject({ createdAt, finishedAt: createdAt, modelName: "first" });
    expect(generation?.leaseExpiresAt).toBeUndefined();
    expect(await record({ prompt: "x", modelConfig: { model: 3, name: "sd" } })).toMatchObject({
      modelName: "sd",
    });
    const given = await record({ prompt: "x", modelName: "given", modelConfig: { model: "other" } });
    expect(given.modelName).toBe("given");
  });

  test("a path is the first of the outputs, and the other way round; labels come once each; examples by rank", async () => {
    const one = await record({ prompt: "x", outputPath: "a.png", labels: ["b", "a", "b"] });
    expect(one.outputs).toMatchObject([{ path: "a.png", state: OutputState.UNSPECIFIED }]);
    expect(one.labels).toEqual(["b", "a"]);
    const two = await record({
      prompt: "x",
      outputs: [{ path: "b.png" }, { path: "c.png" }],
      retrievedExamples: [
        { imagePath: "second", rank: 2 },
        { imagePath: "first", rank: 1 },
      ],
    });
    expect(two.outputPath).toBe("b.png");
    expect(two.retrievedExamples.map(({ imagePath }) => imagePath)).toEqual(["first", "second"]);
  });

  test("a variation needs its parent, which may be deleted afterwards", async () => {
    const parent = await record({ prompt: "x" });
    const varied = await record({ prompt: "y", parentId: parent.id }, "varied");
    expect(varied.parentId).toBe(parent.id);
    await fixture.client.deleteGenerations({ ids: [parent.id] });
    const again = await record({ prompt: "y", parentId: parent.id }, "varied");
    expect(again).toEqual(varied);
    const error = await errorOf(record({ prompt: "y", parentId: parent.id }, "another"));
    expect(error).toMatchObject({
      kind: "not-found",
      message: `parent_id: there is no generation with id ${parent.id}`,
    });
    // It would be its own parent: the id that comes next.
    await expect(record({ prompt: "y", parentId: varied.id + 3n })).rejects.toMatchObject({
      kind: "not-found",
    });
    expect(await rowCount()).toBe(1);
  });

  test("examples and outputs are found by their images and files, whoever wrote the generation", async () => {
    const { id } = await record(FULL);
    const { rows } = await fixture.db.query<{ id: string }>(`
      INSERT INTO generations (prompt, output_path, retrieved_examples) VALUES
        ('by hand', 'hand.png', '[7, {"image_path": "gallery/b.png", "image_id": 2, "similarity": 1e999}, {"image_id": "99999999999999999999"}]'),
        ('nothing', '', 'null')
      RETURNING id`);
    const examples = await fixture.db.query(
      `SELECT generation_id, position, rank, image_id, image_path, caption, similarity FROM generation_examples
        ORDER BY generation_id, position`,
    );
    const own = String(id);
    const hand = rows[0]?.id;
    expect(examples.rows).toEqual([
      {
        generation_id: own,
        position: 1,
        rank: 1,
        image_id: "9223372036854775807",
        image_path: "gallery/a.png",
        caption: "ein Tier",
        similarity: 0.87,
      },
      {
        generation_id: own,
        position: 2,
        rank: 3,
        image_id: "2",
        image_path: "gallery/b.png",
        caption: "",
        similarity: -0.1,
      },
      {
        generation_id: hand,
        position: 2,
        rank: 2,
        image_id: "2",
        image_path: "gallery/b.png",
        caption: "",
        similarity: 0,
      },
      {
        generation_id: hand,
        position: 3,
        rank: 3,
        image_id: null,
        image_path: "",
        caption: "",
        similarity: 0,
      },
    ]);
    await fixture.db.query(
      `UPDATE generations SET retrieved_examples = '[{"image_id": 5}]', output_path = 'other.png' WHERE id = $1`,
      [hand],
    );
    const { generation } = await fixture.client.getGeneration({ id: BigInt(hand ?? 0) });
    expect(generation).toMatchObject({ outputs: [{ path: "other.png" }], finishedAt: generation?.createdAt });
    const uses = await fixture.db.query("SELECT image_id FROM generation_examples WHERE generation_id = $1", [
      hand,
    ]);
    expect(uses.rows).toEqual([{ image_id: "5" }]);
    await fixture.db.query("DELETE FROM generations");
    const left = await fixture.db.query(
      "SELECT (SELECT count(*) FROM generation_examples) + (SELECT count(*) FROM generation_outputs) AS n",
    );
    expect(left.rows).toEqual([{ n: "0" }]);
  });

  test("without a key every call stores a row", async () => {
    await record({ prompt: "same" });
    await record({ prompt: "same" });
    expect(await rowCount()).toBe(2);
  });
});

/** Map entries have no order on the wire: one without any compares. */
function pick(generation: Generation | undefined) {
  const {
    id: _id,
    createdAt: _at,
    $typeName: _name,
    modelConfig: _config,
    ...fields
  } = generation as Generation;
  return create(GenerationFieldsSchema, fields);
}

describe("idempotency", () => {
  test("twenty calls at once with one key store one row, and all get it", async () => {
    const replies = await Promise.all(
      Array.from({ length: 20 }, () =>
        fixture.client.recordGeneration({ generation: FULL, idempotencyKey: "job-1" }),
      ),
    );
    expect(await rowCount()).toBe(1);
    expect(new Set(replies.map((reply) => reply.generation?.id)).size).toBe(1);
    expect(replies.filter((reply) => !reply.existing)).toHaveLength(1);
    for (const reply of replies) {
      expect(toBinary(GenerationFieldsSchema, pick(reply.generation))).toEqual(
        toBinary(GenerationFieldsSchema, pick(replies[0]?.generation)),
      );
    }
  });

  test("a key that was used for another prompt is taken, also among concurrent calls", async () => {
    const outcomes = await Promise.allSettled(
      ["a", "b"].map((prompt) =>
        fixture.client.recordGeneration({ generation: { prompt }, idempotencyKey: "k" }),
      ),
    );
    expect(outcomes.map((outcome) => outcome.status).toSorted()).toEqual(["fulfilled", "rejected"]);
    expect(await rowCount()).toBe(1);
    const error = await errorOf(
      fixture.client.recordGeneration({ generation: { prompt: "c" }, idempotencyKey: "k" }),
    );
    expect(error.kind).toBe("already-exists");
    expect(error.message).toBe(
      'idempotency_key "k" was used for another prompt: give each recording a key of its own',
    );
    expect(error.metadata["generation_id"]).toMatch(/^\d+$/);
    expect(await rowCount()).toBe(1);
  });

  test("the time is not part of what is recorded under a key: the first one stays", async () => {
    const at = { seconds: 1_700_000_000n, nanos: 0 };
    const request = { generation: { prompt: "a" }, idempotencyKey: "k" };
    await fixture.client.recordGeneration({ ...request, createdAt: at });
    const again = await fixture.client.recordGeneration(request);
    expect(again).toMatchObject({ existing: true, generation: { createdAt: at } });
  });

  test("the same prompt with other values is another request", async () => {
    await record({ prompt: "a", seed: 1n }, "k");
    const error = await errorOf(
      fixture.client.recordGeneration({ generation: { prompt: "a", seed: 2n }, idempotencyKey: "k" }),
    );
    expect(error).toMatchObject({
      kind: "already-exists",
      message: expect.stringContaining("same prompt but other values"),
    });
  });

  test("the order of a configuration's keys makes no difference", async () => {
    const first = await record({ prompt: "a", modelConfig: { x: 1, y: { b: 1, a: 2 } } }, "k");
    const again = await fixture.client.recordGeneration({
      generation: { prompt: "a", modelConfig: { y: { a: 2, b: 1 }, x: 1 } },
      idempotencyKey: "k",
    });
    expect(again).toMatchObject({ existing: true, generation: { id: first.id } });
  });
});

describe("getting", () => {
  test("an id that is not there", async () => {
    const error = await errorOf(fixture.client.getGeneration({ id: 987_654n }));
    expect(error).toMatchObject({ kind: "not-found", message: "there is no generation with id 987654" });
  });

  test("rows that users' own SQL wrote can be read, whatever their JSON holds", async () => {
    const { rows } = await fixture.db.query<{ id: string }>(`
      INSERT INTO generations (prompt, model_config, retrieved_examples) VALUES
        ('a', '{"steps": 20}', '[{"image_path": "a.png", "similarity_score": 0.5, "image_id": 7}, 3, {"image_id": "x"}]'),
        ('b', '[1]', '{"not": "a list"}'),
        ('c', NULL, NULL)
      RETURNING id`);
    const read = await Promise.all(
      rows.map(async ({ id }) => (await fixture.client.getGeneration({ id: BigInt(id) })).generation),
    );
    expect(read[0]).toMatchObject({
      modelConfig: { steps: 20 },
      retrievedExamples: [
        { imageId: 7n, imagePath: "a.png", similarity: 0 },
        { imageId: 0n, imagePath: "" },
      ],
    });
    expect(read[1]).toMatchObject({ retrievedExamples: [] });
    expect(read[1]?.modelConfig).toBeUndefined();
    expect(read[2]).toMatchObject({ prompt: "c", retrievedExamples: [], status: GenerationStatus.COMPLETED });
  });
});

test("the table refuses by itself what the contract refuses", async () => {
  for (const [columns, values] of [
    ["prompt", "''"],
    ["prompt, status", "'x', 'unknown'"],
    ["prompt, generation_time_ms", "'x', -1"],
    ["prompt, num_inference_steps", "'x', -1"],
    ["prompt, memory_usage_mb", "'x', 'NaN'"],
    ["prompt, guidance_scale", "'x', 'Infinity'"],
    ["prompt, error_message", "'x', 'but it completed'"],
    ["prompt, idempotency_key", "'x', 'a key without a digest'"],
    ["prompt, status", "'x', 'running'"],
    ["prompt, rating", "'x', 6"],
    ["prompt, width", "'x', 0"],
  ]) {
    await expect(fixture.db.query(`INSERT INTO generations (${columns}) VALUES (${values})`)).rejects.toThrow(
      /check/i,
    );
  }
  expect(await rowCount()).toBe(0);
});
