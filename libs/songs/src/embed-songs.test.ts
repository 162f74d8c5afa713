import { setTimeout as delay } from "node:timers/promises";
import { afterEach, beforeEach, describe, expect, test } from "@jest/globals";
import {
  openEmbeddingCacheReader,
  openEmbeddingCacheWriter,
  type EmbeddingCacheWriter,
} from "@kindred/embedding-cache";
import { KindredError } from "@kindred/errors";
import { temporaryFolder } from "@kindred/testing";
import { embedSongs, type EmbedSongsDeps, type EmbedSongsOptions } from "./embed-songs.ts";
import { findPending, readPending } from "./pending-songs.ts";
import { Progress } from "./progress.ts";
import { refusal, SHAPE, songsOf, vectorOf, vectorsOf, writeSongs } from "./songs-fixture.ts";

// Real files of songs and a real cache; the embedding service is a function.

let folder: Awaited<ReturnType<typeof temporaryFolder>>;
beforeEach(async () => {
  folder = await temporaryFolder();
});
afterEach(async () => {
  await folder[Symbol.asyncDispose]();
});

const cacheFolder = (): string => `${folder.path}/embeddings`;

const OPTIONS: Omit<EmbedSongsOptions, "stop"> = {
  workers: 4,
  batch: { texts: 7, bytes: 1e6, tokens: 1e6, maxTokens: 64 },
  checkpointRecords: 20,
  checkpointMs: 1e9,
  patienceMs: 1_000,
};

interface Run extends Partial<Omit<EmbedSongsOptions, "batch">> {
  embed?: EmbedSongsDeps["embed"];
  cache?: (writer: EmbeddingCacheWriter) => EmbeddingCacheWriter;
}

/** One run over the files, as the command does it; what was asked for, and what came of it. */
async function runOver(paths: readonly string[], { embed, cache, ...options }: Run = {}) {
  await using writer = await openEmbeddingCacheWriter(cacheFolder(), SHAPE);
  const used = cache?.(writer) ?? writer;
  const { files, songs, pending } = await findPending(paths, writer.ids);
  const progress = new Progress({ command: "embed", phase: "embedding" });
  const asked: string[] = [];
  const refused: bigint[] = [];
  const waits: number[] = [];
  const outcome = await embedSongs(
    files,
    {
      cache: used,
      progress,
      embed: (texts, signal) => {
        asked.push(...texts);
        return (embed ?? answering)(texts, signal);
      },
      sleep: (ms, signal) => {
        waits.push(ms);
        return delay(Math.min(ms, 20), undefined, { signal });
      },
      now: () => performance.now(),
      onRefused: ({ id }) => void refused.push(id),
    },
    { ...OPTIONS, stop: new AbortController().signal, ...options },
  ).catch((error: unknown) => ({ error }));
  return { outcome, asked, refused, waits, songs, pending, progress: progress.snapshot() };
}

const answering: EmbedSongsDeps["embed"] = async (texts) => {
  // Calls come to their end in another order than they began.
  await delay(Math.random() * 3);
  return { vectors: vectorsOf(texts), tokens: 2 * texts.length, truncated: 0 };
};

/** Everything that is in the cache. */
async function cached(): Promise<Map<bigint, number[]>> {
  const found = new Map<bigint, number[]>();
  await using reader = await openEmbeddingCacheReader(cacheFolder());
  for await (const { ids, vectors } of reader.blocks()) {
    for (const [i, id] of ids.entries()) found.set(id, [...vectors.subarray(3 * i, 3 * i + 3)]);
  }
  return found;
}

const sorted = (ids: Iterable<bigint>): bigint[] => [...ids].toSorted((a, b) => Number(a - b));

test("every song of every file has its own vector, and a second run has nothing to do", async () => {
  const songs = songsOf(500, { step: 3 });
  const paths = [
    await writeSongs(folder.path, "a.parquet", songs.slice(0, 260)),
    await writeSongs(folder.path, "b.parquet", songs.slice(260)),
  ];
  const first = await runOver(paths);
  expect(first.outcome).toEqual({ embedded: 500, refused: 0, stopped: false });
  expect(first.progress).toMatchObject({ doneNow: 500, tokens: 1_000, truncated: 0, retries: 0 });
  const found = await cached();
  expect(sorted(found.keys())).toEqual(songs.map(({ id }) => id));
  for (const { id, lyrics } of songs) expect(found.get(id)).toEqual(vectorOf(lyrics));

  const second = await runOver(paths);
  expect(second).toMatchObject({ pending: 0, asked: [], outcome: { embedded: 0, stopped: false } });
});

test("a resumed run asks for what has no vector, in holes and at the end, and for nothing else", async () => {
  const songs = songsOf(400);
  const path = await writeSongs(folder.path, "a.parquet", songs);
  const there = new Set([1n, 2n, 3n, 50n, 51n, 52n, 200n, 201n]);
  {
    await using writer = await openEmbeddingCacheWriter(cacheFolder(), SHAPE);
    await writer.append(BigInt64Array.from(there), new Float32Array(3 * there.size).fill(9));
  }
  const { asked, pending } = await runOver([path]);
  expect(pending).toBe(400 - there.size);
  expect(asked.toSorted()).toEqual(
    songs.flatMap(({ id, lyrics }) => (there.has(id) ? [] : [lyrics])).toSorted(),
  );
  expect((await cached()).get(50n)).toEqual([9, 9, 9]);
});

test("holes that are far apart are read by themselves", async () => {
  const songs = songsOf(20_000);
  const path = await writeSongs(folder.path, "a.parquet", songs);
  const holes = new Set([5n, 6n, 9_000n, 19_999n]);
  await using writer = await openEmbeddingCacheWriter(cacheFolder(), SHAPE);
  const ids = BigInt64Array.from(songs.flatMap(({ id }) => (holes.has(id) ? [] : [id])));
  await writer.append(ids, new Float32Array(3 * ids.length).fill(1));
  const { files, pending } = await findPending([path], writer.ids);
  expect({ files, pending }).toEqual({
    pending: 4,
    files: [
      {
        path,
        ranges: [
          { firstRow: 4, rows: 2 },
          { firstRow: 8_999, rows: 1 },
          { firstRow: 19_998, rows: 1 },
        ],
      },
    ],
  });
  const read = await Array.fromAsync(readPending(files, writer.ids));
  expect(read.map(({ id }) => id)).toEqual([...holes]);
});

test("what came is synced while another call takes its time", async () => {
  const path = await writeSongs(folder.path, "a.parquet", songsOf(50));
  const synced = Promise.withResolvers<void>();
  let calls = 0;
  const { outcome } = await runOver([path], {
    workers: 2,
    checkpointRecords: 1e6,
    checkpointMs: 20,
    cache: (writer) => ({
      shape: writer.shape,
      ids: writer.ids,
      cutBytes: 0,
      append: (ids, vectors) => writer.append(ids, vectors),
      checkpoint: async () => {
        await writer.checkpoint();
        if (writer.ids.count === 43) synced.resolve();
      },
      [Symbol.asyncDispose]: () => writer[Symbol.asyncDispose](),
    }),
    embed: async (texts, signal) => {
      calls += 1;
      // All others have come, and nothing more will.
      if (calls === 1) await synced.promise;
      return answering(texts, signal);
    },
  });
  expect(outcome).toEqual({ embedded: 50, refused: 0, stopped: false });
});

describe("stopping", () => {
  test("finishes what is under way, keeps it, and begins nothing more", async () => {
    const path = await writeSongs(folder.path, "a.parquet", songsOf(700));
    const stop = new AbortController();
    let calls = 0;
    const { outcome, asked } = await runOver([path], {
      stop: stop.signal,
      embed: async (texts) => {
        calls += 1;
        if (calls === 6) stop.abort(new Error("Ctrl+C"));
        await delay(10);
        return answering(texts, stop.signal);
      },
    });
    expect(outcome).toMatchObject({ stopped: true, embedded: asked.length });
    expect(asked.length).toBeLessThan(700);
    expect((await cached()).size).toBe(asked.length);
  });

  test("does not wait for a service that is away, nor for a provider's limits", async () => {
    const path = await writeSongs(folder.path, "a.parquet", songsOf(100));
    const stop = new AbortController();
    const { outcome } = await runOver([path], {
      stop: stop.signal,
      embed: () => {
        setTimeout(() => stop.abort(new Error("Ctrl+C")), 5);
        return Promise.reject(new KindredError("resource-exhausted", "limited", { retryAfterMs: 3_600_000 }));
      },
    });
    expect(outcome).toEqual({ embedded: 0, refused: 0, stopped: true });
  });
});

describe("failures", () => {
  test("a key that is refused in the middle ends it, and everything embedded by then is kept", async () => {
    const path = await writeSongs(folder.path, "a.parquet", songsOf(700));
    let left = 10;
    let answered = 0;
    const denied = new KindredError("failed-precondition", "elsewhere denies access (401)");
    const { outcome } = await runOver([path], {
      embed: async (texts, signal) => {
        left -= 1;
        if (left < 0) throw denied;
        const answer = await answering(texts, signal);
        answered += texts.length;
        return answer;
      },
    });
    expect(outcome).toMatchObject({ error: { name: "StageError", stage: "service", cause: denied } });
    expect((await cached()).size).toBe(answered);
    expect(answered).toBe(70);

    const again = await runOver([path]);
    expect(again.pending).toBe(700 - answered);
    expect((await cached()).size).toBe(700);
  });

  test("what passes is waited for, as long as the service asks; a provider's limits are counted apart", async () => {
    const path = await writeSongs(folder.path, "a.parquet", songsOf(70));
    const troubles = [
      new KindredError("unavailable", "restarting"),
      new KindredError("resource-exhausted", "elsewhere limits the rate", {
        retryAfterMs: 90_000,
        metadata: { provider: "elsewhere" },
      }),
      new KindredError("resource-exhausted", "the queue is full", { retryAfterMs: 50 }),
    ];
    const { outcome, progress, waits } = await runOver([path], {
      embed: (texts, signal) => {
        const trouble = troubles.shift();
        return trouble ? Promise.reject(trouble) : answering(texts, signal);
      },
    });
    expect(outcome).toEqual({ embedded: 70, refused: 0, stopped: false });
    expect(progress).toMatchObject({ retries: 3, rateLimitWaits: 2 });
    expect(waits).toContain(90_000);
    expect((await cached()).size).toBe(70);
  });

  test("a service that stays away ends it when patience is over; an account that is used up at once", async () => {
    const path = await writeSongs(folder.path, "a.parquet", songsOf(70));
    const away = await runOver([path], {
      patienceMs: 50,
      embed: () => Promise.reject(new KindredError("unavailable", "away")),
    });
    expect(away.outcome).toMatchObject({ error: { stage: "service", cause: { kind: "unavailable" } } });
    expect(away.progress.retries).toBeGreaterThan(0);
    const usedUp = await runOver([path], {
      embed: () =>
        Promise.reject(
          new KindredError("resource-exhausted", "the account is used up", {
            metadata: { provider: "elsewhere" },
          }),
        ),
    });
    expect(usedUp.outcome).toMatchObject({ error: { cause: { message: "the account is used up" } } });
    expect(usedUp.progress.retries).toBe(0);
  });

  test("a cache that takes no more ends it at once, and what was synced stays", async () => {
    const path = await writeSongs(folder.path, "a.parquet", songsOf(700));
    const full = new KindredError("resource-exhausted", "the disk is full");
    let appended = 0;
    const { outcome } = await runOver([path], {
      cache: (writer) => ({
        shape: writer.shape,
        ids: writer.ids,
        cutBytes: 0,
        checkpoint: () => writer.checkpoint(),
        [Symbol.asyncDispose]: () => writer[Symbol.asyncDispose](),
        append: (ids, vectors) => {
          if (appended >= 70) return Promise.reject(full);
          appended += ids.length;
          return writer.append(ids, vectors);
        },
      }),
      embed: async (texts, signal) => {
        // Once nothing can be stored, calls under way are given up.
        await delay(appended >= 70 ? 60_000 : 1, undefined, { signal });
        return answering(texts, signal);
      },
    });
    expect(outcome).toMatchObject({ error: { stage: "cache", cause: full } });
    expect((await cached()).size).toBe(70);
  });

  test("a file that is no file of songs is named", async () => {
    const { createParquetFile } = await import("@kindred/parquet");
    const path = `${folder.path}/other.parquet`;
    {
      await using file = await createParquetFile(path, {
        columns: [{ name: "id", type: "string", nullable: false }],
      });
      await file.append({ rows: 1, columns: { id: ["1"] } });
      await file.finish();
    }
    await expect(runOver([path])).rejects.toThrow(
      `${path} is no file of songs: it has no column id of type int64 and lyrics of type string`,
    );
  });
});

test("songs that a provider takes in no form are left out, and asked for again the next time", async () => {
  const songs = songsOf(50);
  songs[9] = { id: 10n, lyrics: "poison" };
  songs[30] = { id: 31n, lyrics: "" };
  const path = await writeSongs(folder.path, "a.parquet", songs);
  const { outcome, refused, progress } = await runOver([path], {
    embed: (texts, signal) => {
      const bad = texts.indexOf("poison");
      return bad < 0 ? answering(texts, signal) : Promise.reject(refusal(`texts[${bad}]`));
    },
  });
  expect(outcome).toEqual({ embedded: 48, refused: 1, stopped: false });
  expect(refused).toEqual([10n]);
  expect(progress.skipped).toBe(2);
  const again = await runOver([path]);
  expect(again.asked).toEqual(["poison"]);
});

test("a provider that refuses everything is not asked twelve million times", async () => {
  const path = await writeSongs(folder.path, "a.parquet", songsOf(5_000));
  const { outcome, asked } = await runOver([path], {
    embed: () => Promise.reject(refusal("texts[0]", "is refused by the provider: no")),
  });
  expect(outcome).toMatchObject({ error: { stage: "service", cause: { kind: "failed-precondition" } } });
  expect(asked.length).toBeLessThan(1_500);
});
