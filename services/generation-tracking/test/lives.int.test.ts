import type { MessageInitShape } from "@bufbuild/protobuf";
import { timestampMs, type Timestamp } from "@bufbuild/protobuf/wkt";
import { describe, expect, test } from "@jest/globals";
import {
  GenerationStatus,
  OutputState,
  type Generation,
  type GenerationFieldsSchema,
} from "@kindred/contracts/generation-tracking/v1";
import { useFixture } from "./use-fixture.ts";

type Fields = MessageInitShape<typeof GenerationFieldsSchema>;

const fixture = useFixture();

const start = async (generation: Fields = { prompt: "a kite" }, seconds?: bigint): Promise<Generation> =>
  (await fixture.client.startGeneration({ generation, ...(seconds && { lease: { seconds, nanos: 0 } }) }))
    .generation as Generation;

const get = async (id: bigint): Promise<Generation> =>
  (await fixture.client.getGeneration({ id })).generation as Generation;

/** As if its maker had been silent for that long. */
async function letLeaseEnd(id: bigint): Promise<void> {
  await fixture.db.query(
    "UPDATE generations SET lease_expires_at = clock_timestamp() - INTERVAL '1 millisecond' WHERE id = $1",
    [String(id)],
  );
}

const ms = (time: Timestamp | undefined): number => timestampMs(time as Timestamp);

describe("a generation that runs", () => {
  test("has a lease, and no end", async () => {
    const generation = await start({ prompt: "a kite", seed: 3n, labels: ["x"], modelName: "sd" }, 90n);
    expect(generation).toMatchObject({
      status: GenerationStatus.RUNNING,
      seed: 3n,
      labels: ["x"],
      modelName: "sd",
    });
    expect(generation.finishedAt).toBeUndefined();
    expect(generation.progress).toBeUndefined();
    const leaseMs = ms(generation.leaseExpiresAt) - ms(generation.createdAt);
    expect(leaseMs).toBeGreaterThanOrEqual(90_000);
    expect(leaseMs).toBeLessThan(120_000);
    expect(await get(generation.id)).toEqual(generation);
    const silent = await start();
    expect(ms(silent.leaseExpiresAt) - ms(silent.createdAt)).toBeGreaterThanOrEqual(60_000);
  });

  test("is started once under a key, also at once; the key is taken for recordings", async () => {
    const request = { generation: { prompt: "a kite" }, idempotencyKey: "k" };
    const replies = await Promise.all(
      Array.from({ length: 10 }, () => fixture.client.startGeneration(request)),
    );
    expect(replies.filter(({ existing }) => !existing)).toHaveLength(1);
    expect(new Set(replies.map(({ generation }) => generation?.id)).size).toBe(1);
    const id = replies[0]?.generation?.id ?? 0n;
    await fixture.client.cancelGeneration({ id });
    expect(await fixture.client.startGeneration(request)).toMatchObject({
      existing: true,
      generation: { id, status: GenerationStatus.CANCELLED },
    });
    await expect(fixture.client.recordGeneration(request)).rejects.toMatchObject({ kind: "already-exists" });
  });

  test("says how far it is, which renews its lease", async () => {
    const { id, leaseExpiresAt } = await start({ prompt: "a kite" }, 3600n);
    const reply = await fixture.client.reportProgress({
      id,
      progress: { done: 7, total: 30, message: "denoising" },
    });
    const first = await get(id);
    expect(first.progress).toMatchObject({ done: 7, total: 30, message: "denoising" });
    expect(reply.leaseExpiresAt).toEqual(first.leaseExpiresAt);
    expect(ms(first.leaseExpiresAt)).toBeGreaterThanOrEqual(ms(leaseExpiresAt));
    // Only that it is alive.
    await fixture.client.reportProgress({ id });
    const second = await get(id);
    expect(second.progress).toEqual(first.progress);
    expect(second.leaseExpiresAt).not.toEqual(first.leaseExpiresAt);
    await fixture.client.reportProgress({ id, progress: { done: 3 } });
    expect((await get(id)).progress).toMatchObject({ done: 3, total: 0, message: "" });
  });

  test("says so without touching an index: none has a column that a report changes", async () => {
    const { rows } = await fixture.db.query<{ definition: string }>(
      `SELECT pg_get_indexdef(indexrelid) AS definition FROM pg_index WHERE indrelid = 'generations'::regclass`,
    );
    expect(rows.length).toBeGreaterThan(3);
    for (const { definition } of rows) expect(definition).not.toMatch(/progress_|lease_/);
  });

  test("counts for its session once, however often it is started", async () => {
    await fixture.sessions.startSession({ sessionId: "s" });
    const request = { generation: { prompt: "x", sessionId: "s" }, idempotencyKey: "k" };
    await fixture.client.startGeneration(request);
    await fixture.client.startGeneration(request);
    await fixture.client.recordGeneration({ generation: { prompt: "y", sessionId: "s" } });
    await expect(
      fixture.client.recordGeneration({ generation: { prompt: "z", sessionId: "s", parentId: 10n ** 15n } }),
    ).rejects.toMatchObject({ kind: "not-found" });
    expect((await fixture.sessions.getSession({ sessionId: "s" })).session?.totalGenerations).toBe(2n);
  });
});

describe("completing", () => {
  const result = (id: bigint) => ({
    id,
    outputs: [{ path: "a.png", sizeBytes: 12n, sha256: new Uint8Array(32).fill(7) }, { path: "b.png" }],
    generationTimeMs: 1234,
    memoryUsageMb: 2048.5,
    modelConfig: { name: "chosen", steps: { cfg: [1, { a: null }] } },
    seed: 42n,
  });

  test("adds the result to what it was started with", async () => {
    const { id } = await start({ prompt: "x", modelConfig: { precision: "fp16", steps: 3 } });
    const { generation } = await fixture.client.completeGeneration(result(id));
    expect(generation).toMatchObject({
      status: GenerationStatus.COMPLETED,
      outputPath: "a.png",
      outputs: [{ path: "a.png", sizeBytes: 12n, state: OutputState.UNSPECIFIED }, { path: "b.png" }],
      generationTimeMs: 1234,
      memoryUsageMb: 2048.5,
      modelConfig: { precision: "fp16", name: "chosen", steps: { cfg: [1, { a: null }] } },
      modelName: "chosen",
      seed: 42n,
    });
    expect(generation?.leaseExpiresAt).toBeUndefined();
    expect(ms(generation?.finishedAt)).toBeGreaterThanOrEqual(ms(generation?.createdAt));
    expect(await get(id)).toEqual(generation);
  });

  test("takes the time since its start where none is given", async () => {
    const { id } = await start();
    await fixture.db.query("UPDATE generations SET created_at = created_at - INTERVAL '5 seconds'");
    const { generation } = await fixture.client.completeGeneration({ id });
    expect(generation?.generationTimeMs).toBeGreaterThanOrEqual(5000);
    expect(generation?.generationTimeMs).toBeLessThan(65_000);
    expect(generation?.outputs).toEqual([]);
  });

  test("once more with the same result returns it, also when its files were looked at since; another result is refused", async () => {
    const { id } = await start();
    const { generation } = await fixture.client.completeGeneration(result(id));
    expect((await fixture.client.completeGeneration(result(id))).generation).toEqual(generation);
    await fixture.db.query(
      "UPDATE generation_outputs SET state = 'kept', size_bytes = 12, verified_at = now() WHERE generation_id = $1",
      [String(id)],
    );
    expect((await fixture.client.completeGeneration(result(id))).generation).toMatchObject({
      finishedAt: generation?.finishedAt,
    });
    const { modelConfig: _config, seed: _seed, generationTimeMs: _time, ...less } = result(id);
    await expect(fixture.client.completeGeneration(less)).resolves.toMatchObject({
      generation: { seed: 42n },
    });
    for (const other of [
      { outputs: [{ path: "a.png" }] },
      { outputs: [{ path: "a.png", sizeBytes: 13n }, { path: "b.png" }] },
      { outputs: [{ path: "a.png", sha256: new Uint8Array(32) }, { path: "b.png" }] },
      { generationTimeMs: 1235 },
      { memoryUsageMb: 1 },
      { seed: 43n },
      { modelConfig: { name: "another" } },
      { modelConfig: { steps: { cfg: [1, { a: 1 }] } } },
      { modelConfig: { more: 1 } },
    ]) {
      await expect(fixture.client.completeGeneration({ ...result(id), ...other })).rejects.toMatchObject({
        kind: "failed-precondition",
        message: `generation ${id} does not run any more: it is completed`,
      });
    }
    expect(await get(id)).toMatchObject({ generationTimeMs: 1234, outputs: [{ path: "a.png" }, {}] });
  });

  test("with another seed than that of its start is refused, and it runs on", async () => {
    const { id } = await start({ prompt: "x", seed: 1n });
    await expect(fixture.client.completeGeneration({ id, seed: 2n })).rejects.toMatchObject({
      kind: "invalid-argument",
      message: "seed must be 1, with which it was started, or not be given",
    });
    expect((await get(id)).status).toBe(GenerationStatus.RUNNING);
    await fixture.client.completeGeneration({ id, seed: 1n });
  });
});

describe("ending otherwise", () => {
  test("failing and cancelling again return it as it was; nothing else does", async () => {
    const failed = await start();
    const { generation } = await fixture.client.failGeneration({
      id: failed.id,
      errorMessage: "out of memory",
    });
    expect(generation).toMatchObject({ status: GenerationStatus.FAILED, errorMessage: "out of memory" });
    expect(generation?.generationTimeMs).toBeGreaterThanOrEqual(0);
    expect(
      (await fixture.client.failGeneration({ id: failed.id, errorMessage: "again" })).generation,
    ).toEqual(generation);
    await expect(fixture.client.completeGeneration({ id: failed.id })).rejects.toMatchObject({
      kind: "failed-precondition",
      message: `generation ${failed.id} does not run any more: it has failed: out of memory`,
      metadata: { generation_id: String(failed.id), status: "failed" },
    });

    const cancelled = await start();
    const first = await fixture.client.cancelGeneration({ id: cancelled.id });
    expect((await fixture.client.cancelGeneration({ id: cancelled.id })).generation).toEqual(
      first.generation,
    );
    await expect(fixture.client.reportProgress({ id: cancelled.id })).rejects.toMatchObject({
      kind: "failed-precondition",
      message: `generation ${cancelled.id} does not run any more: it was cancelled`,
    });
    await expect(
      fixture.client.failGeneration({ id: cancelled.id, errorMessage: "x" }),
    ).rejects.toMatchObject({
      kind: "failed-precondition",
    });
  });

  test("what was recorded in one call has ended", async () => {
    const { generation } = await fixture.client.recordGeneration({ generation: { prompt: "x" } });
    await expect(fixture.client.cancelGeneration({ id: generation?.id ?? 0n })).rejects.toMatchObject({
      kind: "failed-precondition",
    });
  });

  test("ids that are not there", async () => {
    const id = 987_654n;
    for (const call of [
      () => fixture.client.reportProgress({ id }),
      () => fixture.client.completeGeneration({ id }),
      () => fixture.client.failGeneration({ id, errorMessage: "x" }),
      () => fixture.client.cancelGeneration({ id }),
      () => fixture.client.updateGeneration({ id, updateMask: { paths: ["rating"] } }),
    ])
      await expect(call()).rejects.toMatchObject({
        kind: "not-found",
        message: "there is no generation with id 987654",
      });
  });
});

describe("a lease that is over", () => {
  const ABANDONED = "abandoned: for 1.5 s nobody said that it was alive";

  const startShort = async (): Promise<bigint> => {
    const { generation } = await fixture.client.startGeneration({
      generation: { prompt: "x" },
      lease: { seconds: 1n, nanos: 500_000_000 },
    });
    const { id } = generation as Generation;
    await letLeaseEnd(id);
    return id;
  };

  test("has ended the generation for its maker, before anybody has swept", async () => {
    for (const call of [
      (id: bigint) => fixture.client.reportProgress({ id, progress: { done: 1 } }),
      (id: bigint) => fixture.client.completeGeneration({ id }),
      (id: bigint) => fixture.client.cancelGeneration({ id }),
    ]) {
      const id = await startShort();
      await expect(call(id)).rejects.toMatchObject({
        kind: "failed-precondition",
        message: `generation ${id} does not run any more: it has failed: ${ABANDONED}`,
      });
      const ended = await get(id);
      expect(ended).toMatchObject({ status: GenerationStatus.FAILED, errorMessage: ABANDONED });
      expect(ended.progress).toBeUndefined();
      expect(ended.generationTimeMs).toBeUndefined();
    }
    const id = await startShort();
    // Its maker may say at last what went wrong; what was written down stays.
    const { generation } = await fixture.client.failGeneration({ id, errorMessage: "crashed" });
    expect(generation?.errorMessage).toBe(ABANDONED);
  });

  test("is swept, whatever its owner: ended when the lease was, and no other one", async () => {
    const alive = await start();
    const over = await Promise.all(Array.from({ length: 25 }, startShort));
    const swept = await Promise.all([
      fixture.lives.failAllAbandoned(10),
      fixture.lives.failAllAbandoned(1000),
    ]);
    const rest = await fixture.lives.failAllAbandoned(1000);
    const all = [...swept.flat(), ...rest];
    expect(all.toSorted()).toEqual(over.toSorted());
    expect(await fixture.lives.failAllAbandoned(1000)).toEqual([]);
    expect((await get(alive.id)).status).toBe(GenerationStatus.RUNNING);
    const one = await get(over[0] ?? 0n);
    expect(one).toMatchObject({ status: GenerationStatus.FAILED, errorMessage: ABANDONED });
    expect(ms(one.finishedAt)).toBeLessThanOrEqual(Date.now() + 60_000);
    expect(one.leaseExpiresAt).toBeUndefined();
  });
});

describe("changing", () => {
  test("only what the mask names, also of one that has ended; without a value it is taken away", async () => {
    const { generation: recorded } = await fixture.client.recordGeneration({
      generation: { prompt: "x", labels: ["a"], sessionId: "s" },
    });
    const id = recorded?.id ?? 0n;
    const update = async (generation: Partial<Fields>, paths: string[]) =>
      (await fixture.client.updateGeneration({ id, generation: generation as Fields, updateMask: { paths } }))
        .generation;
    expect(await update({ rating: 4, labels: ["ignored"] }, ["rating"])).toEqual({ ...recorded, rating: 4 });
    expect(await update({ labels: ["b", "c", "b"] }, ["labels"])).toMatchObject({
      labels: ["b", "c"],
      rating: 4,
    });
    const bare = await update({}, ["labels", "rating", "session_id"]);
    expect(bare).toMatchObject({ labels: [], sessionId: "" });
    expect(bare?.rating).toBeUndefined();
    expect(await get(id)).toEqual(bare);
  });

  test("deletes what is there, with all that belongs to it", async () => {
    const running = await start();
    const { generation } = await fixture.client.recordGeneration({
      generation: { prompt: "x", outputPath: "a", retrievedExamples: [{ imageId: 1n, imagePath: "i" }] },
    });
    const ids = [running.id, generation?.id ?? 0n, 10n ** 12n, running.id];
    expect((await fixture.client.deleteGenerations({ ids })).deleted).toBe(2n);
    expect((await fixture.client.deleteGenerations({ ids })).deleted).toBe(0n);
    await expect(fixture.client.reportProgress({ id: running.id })).rejects.toMatchObject({
      kind: "not-found",
    });
  });
});
