import { setTimeout as delay } from "node:timers/promises";
import { createClient } from "@connectrpc/connect";
import {
  ConflictPolicy,
  VectorService,
  WriteMethod,
  type IngestOptions,
} from "@kindred/contracts/vector-store/v1";
import {
  openEmbeddingCacheReader,
  openEmbeddingCacheWriter,
  type CachePosition,
} from "@kindred/embedding-cache";
import { KindredError } from "@kindred/errors";
import { createInMemoryTransport, unpackVectors } from "@kindred/rpc";
import { temporaryFolder } from "@kindred/testing";
import { afterEach, beforeEach, describe, expect, test } from "@jest/globals";
import { Progress } from "./progress.ts";
import { SHAPE } from "./songs-fixture.ts";
import { uploadSongs, type UploadSongsOptions } from "./upload-songs.ts";
import { ingestSink, upsertSink, type VectorSink } from "./vector-sink.ts";

// A real cache, and a vector store behind the real interceptors whose table is a map.

const COUNT = 1_000;
/** Of a block, so that there are many. */
const BLOCK_BYTES = 400;

let folder: Awaited<ReturnType<typeof temporaryFolder>>;
let table: Map<string, number[]>;
let store: ReturnType<typeof storeOf>;
beforeEach(async () => {
  folder = await temporaryFolder();
  table = new Map();
  store = storeOf();
  await fill(1, COUNT);
});
afterEach(async () => {
  await folder[Symbol.asyncDispose]();
});

async function fill(first: number, last: number): Promise<void> {
  await using writer = await openEmbeddingCacheWriter(folder.path, SHAPE, { blockBytes: BLOCK_BYTES });
  for (let id = first; id <= last; id += 10) {
    const ids = Array.from({ length: Math.min(10, last - id + 1) }, (_, i) => BigInt(id + i));
    await writer.append(BigInt64Array.from(ids), Float32Array.from(ids.flatMap((each) => vectorOf(each))));
  }
}

const vectorOf = (id: bigint): number[] => [Number(id), 0.5, -1];

/** Streams and calls as they came; `trouble` before a batch is stored, `lost` before its answer is sent. */
function storeOf() {
  const seen = { options: [] as IngestOptions[], batches: 0, analyzed: 0 };
  const hooks = {
    trouble: (_batch: number): Promise<void> => Promise.resolve(),
    lost: (_batch: number): Promise<void> => Promise.resolve(),
  };
  const save = async (keys: readonly string[], vectors: Uint8Array) => {
    const number = (seen.batches += 1);
    await hooks.trouble(number);
    const there = keys.filter((key) => table.has(key)).length;
    for (const [i, key] of keys.entries()) {
      table.set(key, [...unpackVectors(vectors, 3).subarray(3 * i, 3 * i + 3)]);
    }
    await hooks.lost(number);
    return { inserted: BigInt(keys.length - there), replaced: BigInt(there) };
  };
  const transport = createInMemoryTransport((router) => {
    router.service(VectorService, {
      async *ingest(requests) {
        let options: IngestOptions | undefined;
        for await (const { message } of requests) {
          if (message.case === "options") seen.options.push((options = message.value));
          if (message.case !== "batch") continue;
          const { sequence, items } = message.value;
          yield { sequence, ...(await save(items?.keys ?? [], items?.vectors ?? new Uint8Array())) };
        }
        if (options?.analyze) seen.analyzed += 1;
      },
      upsert: ({ items }) => save(items?.keys ?? [], items?.vectors ?? new Uint8Array()),
    });
  });
  return { seen, hooks, client: createClient(VectorService, transport) };
}

const HOW = { collection: "songs", spaceId: SHAPE.spaceId, onConflict: ConflictPolicy.REPLACE };
const ingest = (): VectorSink => ingestSink(store.client, { ...HOW, writeMethod: WriteMethod.COPY });
const upsert = (): VectorSink => upsertSink(store.client, { ...HOW, timeoutMs: 10_000 });

async function upload(sink: VectorSink, options: Partial<UploadSongsOptions> = {}) {
  await using cache = await openEmbeddingCacheReader(folder.path);
  const progress = new Progress({ command: "upload", phase: "uploading" });
  const kept: { position: CachePosition; rows: number }[] = [];
  const outcome = await uploadSongs(
    {
      cache,
      sink,
      progress,
      checkpoint: (position, rows) => Promise.resolve(void kept.push({ position, rows })),
      sleep: (ms, signal) => delay(Math.min(ms, 10), undefined, { signal }),
      now: () => performance.now(),
    },
    { batchSize: 32, checkpointMs: 0, patienceMs: 1_000, stop: new AbortController().signal, ...options },
  ).catch((error: unknown) => ({ error }));
  return { outcome, kept, progress: progress.snapshot() };
}

function expectAll(count = COUNT): void {
  expect(table.size).toBe(count);
  for (const [key, vector] of table) expect(vector).toEqual(vectorOf(BigInt(key)));
}

describe.each([
  ["Ingest", ingest, 1],
  ["Upsert", upsert, 0],
])("by %s", (_name, sink, analyzed) => {
  test("all vectors are stored, in batches of the size, and the position reaches the end", async () => {
    const { outcome, kept, progress } = await upload(sink());
    expect(outcome).toEqual({ rows: COUNT, inserted: COUNT, replaced: 0, skipped: 0, stopped: false });
    expectAll();
    expect(store.seen).toMatchObject({ batches: Math.ceil(COUNT / 32), analyzed });
    expect(progress.doneNow).toBe(COUNT);
    expect(kept.at(-1)?.rows).toBe(COUNT);
    const nothing = await upload(sink(), { after: kept.at(-1)?.position as CachePosition });
    expect(nothing.outcome).toMatchObject({ rows: 0 });

    await fill(COUNT + 1, COUNT + 40);
    const more = await upload(sink(), { after: kept.at(-1)?.position as CachePosition });
    expect(more.outcome).toMatchObject({ rows: 40, inserted: 40 });
    expectAll(COUNT + 40);
  });

  test("every position that was kept leads to the same table", async () => {
    const { kept } = await upload(sink());
    const positions = kept.filter((_, i) => i % 5 === 0);
    expect(positions.length).toBeGreaterThan(3);
    for (const { position, rows } of positions) {
      table = new Map([...table].slice(0, rows));
      const { outcome } = await upload(sink(), { after: position });
      expect(outcome).toMatchObject({ rows: COUNT - rows, inserted: COUNT - rows });
      expectAll();
    }
  });

  test("a connection that breaks is opened again; what was sent twice is counted once", async () => {
    const broken = new Set([4, 9, 10]);
    store.hooks.lost = async (batch) => {
      if (broken.has(batch)) throw new KindredError("unavailable", "the connection broke");
    };
    const { outcome, progress } = await upload(sink());
    expect(outcome).toMatchObject({ rows: COUNT, stopped: false });
    expectAll();
    expect(progress).toMatchObject({ doneNow: COUNT, retries: 3 });
  });

  test("a store that stays away ends it when patience is over, and how far it came is kept", async () => {
    store.hooks.trouble = async (batch) => {
      if (batch > 10) throw new KindredError("unavailable", "away");
    };
    const { outcome, kept } = await upload(sink(), { patienceMs: 40, checkpointMs: 1e9 });
    expect(outcome).toMatchObject({ error: { stage: "service", cause: { kind: "unavailable" } } });
    expect(kept).toHaveLength(1);
    store.hooks.trouble = () => Promise.resolve();
    expect((await upload(sink(), { after: kept[0]?.position as CachePosition })).outcome).toMatchObject({
      stopped: false,
    });
    expectAll();
  });

  test("a refusal ends it at once", async () => {
    const refused = new KindredError("failed-precondition", "another space");
    store.hooks.trouble = (batch) => (batch > 3 ? Promise.reject(refused) : Promise.resolve());
    const { outcome, progress } = await upload(sink());
    expect(outcome).toMatchObject({
      error: { stage: "service", cause: { kind: "failed-precondition", message: "another space" } },
    });
    expect(progress.retries).toBe(0);
  });

  test("a wish to stop ends it behind what was sent, and the position is that of what is stored", async () => {
    const stop = new AbortController();
    store.hooks.trouble = async (batch) => {
      if (batch === 5) stop.abort(new Error("Ctrl+C"));
      await delay(2);
    };
    const { outcome, kept } = await upload(sink(), { stop: stop.signal, checkpointMs: 1e9 });
    expect(outcome).toMatchObject({ stopped: true });
    expect(table.size).toBeLessThan(COUNT);
    expect(outcome).toMatchObject({ rows: table.size });
    expect(store.seen.analyzed).toBe(0);
    const { position, rows } = kept.at(-1) as { position: CachePosition; rows: number };
    expect(rows).toBeLessThanOrEqual(table.size);
    expect(rows).toBeGreaterThan(table.size - 64);
    await upload(sink(), { after: position });
    expectAll();
  });

  test("a position that is none of this cache's ends it before anything is sent", async () => {
    const { outcome } = await upload(sink(), { after: { segment: 1, offset: 131 } });
    expect(outcome).toMatchObject({ error: { stage: "source", cause: { kind: "failed-precondition" } } });
    expect(table.size).toBe(0);
  });
});

test("the stream begins with how rows are to be written", async () => {
  await upload(ingest());
  expect(store.seen.options).toMatchObject([
    { collection: "songs", spaceId: SHAPE.spaceId, writeMethod: WriteMethod.COPY, analyze: true },
  ]);
});

test("a position that cannot be kept ends it", async () => {
  await using cache = await openEmbeddingCacheReader(folder.path);
  const full = Object.assign(new Error("ENOSPC: no space left on device"), { code: "ENOSPC" });
  const outcome = uploadSongs(
    {
      cache,
      sink: ingest(),
      progress: new Progress({ command: "upload", phase: "uploading" }),
      checkpoint: () => Promise.reject(full),
      sleep: (ms, signal) => delay(ms, undefined, { signal }),
      now: () => performance.now(),
    },
    { batchSize: 32, checkpointMs: 0, patienceMs: 1_000, stop: new AbortController().signal },
  );
  await expect(outcome).rejects.toMatchObject({ stage: "cache", cause: full });
});
