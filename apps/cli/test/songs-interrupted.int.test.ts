import { spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { openEmbeddingCacheReader } from "@kindred/embedding-cache";
import type { Database } from "@kindred/postgres";
import { songsLayout } from "@kindred/songs";
import type { EmbeddingsRequest } from "@kindred/testing";
import { afterAll, beforeAll, beforeEach, expect, test } from "@jest/globals";
import { Kindred, kindred, until, type Outcome } from "./kindred.ts";
import { openTables, songsOf, startSongsStack, writeSongsFolder, type SongsStack } from "./songs-fixture.ts";

// What happens to days of work when something ends it: real processes, killed and interrupted, and a provider that counts what it is paid for.

const COUNT = 600;
const SONGS = songsOf(COUNT);
const TEXTS = SONGS.map(({ lyrics }) => lyrics).toSorted();

/** What the provider does with the next requests. */
let behaviour: (
  request: EmbeddingsRequest,
) => { kind: "delay"; ms: number } | { kind: "status"; status: number } | undefined;
let root: string;
let at: SongsStack;
let database: Database;
let folder: string;
let number = 0;

beforeAll(async () => {
  root = mkdtempSync(join(tmpdir(), "kindred-songs-interrupted-"));
  at = await startSongsStack(root, { fault: (request) => behaviour(request) });
  database = await openTables(at.stack.database?.url as string);
  const setup = await kindred(["songs", "setup", "--folder", join(root, "setup")], at.env);
  expect(setup.code).toBe(0);
}, 180_000);
afterAll(async () => {
  await database?.[Symbol.asyncDispose]();
  await at?.[Symbol.asyncDispose]();
  rmSync(root, { recursive: true });
});
beforeEach(async () => {
  behaviour = () => undefined;
  folder = join(root, String((number += 1)));
  await writeSongsFolder(folder, SONGS, 250);
});

const EMBED = ["--workers", "2", "--batch-size", "20", "--checkpoint", "1"];
const embedArgs = (...more: string[]): string[] => ["songs", "embed", "--folder", folder, ...EMBED, ...more];
const embed = (...more: string[]): Promise<Outcome> => kindred(embedArgs(...more), at.env);
const slowly = (): { kind: "delay"; ms: number } => ({ kind: "delay", ms: 100 });

/** Texts that the provider has answered since. */
function answeredSince(first: number): string[] {
  return at.provider.requests
    .slice(first)
    .filter(({ status }) => status === 200)
    .flatMap(({ texts }) => texts);
}

async function cachedIds(): Promise<Set<bigint>> {
  const ids = new Set<bigint>();
  await using cache = await openEmbeddingCacheReader(songsLayout(folder).embeddings);
  for await (const block of cache.blocks()) for (const id of block.ids) ids.add(id);
  return ids;
}

test("Ctrl+C finishes what is under way, says how to go on, and nothing is paid for twice", async () => {
  const first = at.provider.requests.length;
  behaviour = slowly;
  const running = new Kindred(embedArgs(), at.env);
  await until(() => answeredSince(first).length >= 100);
  running.child.kill("SIGINT");
  const { code, err } = await running.outcome();
  expect(code).toBe(130);
  expect(err).toContain(
    `Go on with: kindred songs embed --folder ${folder} --workers 2 --batch-size 20 --checkpoint 1`,
  );
  const ids = await cachedIds();
  expect(ids.size).toBe(answeredSince(first).length);
  expect(ids.size).toBeLessThan(COUNT);

  behaviour = () => undefined;
  const again = await embed();
  expect(again).toMatchObject({
    code: 0,
    err: expect.stringContaining(`going on: ${ids.size} of 600 songs`),
  });
  expect(answeredSince(first).toSorted()).toEqual(TEXTS);
}, 600_000);

test("Ctrl+C twice does not wait, and what was synced is there", async () => {
  // Of the second batch: one worker waits for it from the beginning.
  behaviour = ({ texts }) => (texts.includes("la la 30") ? { kind: "delay", ms: 60_000 } : undefined);
  const running = new Kindred(embedArgs(), at.env);
  await until(async () => (await cachedIds().catch(() => new Set())).size > 0);
  running.child.kill("SIGINT");
  await sleep(1_200);
  running.child.kill("SIGINT");
  await running.outcome();
  expect(running.child.signalCode).toBe("SIGINT");
  const kept = await cachedIds();
  expect(kept.size).toBeGreaterThan(0);

  behaviour = () => undefined;
  const first = at.provider.requests.length;
  expect(await embed()).toMatchObject({ code: 0 });
  expect(answeredSince(first)).toHaveLength(COUNT - kept.size);
}, 600_000);

test("killed at any time, a run embeds nothing again that was synced, and ends with every vector", async () => {
  behaviour = slowly;
  for (const ms of [100, 300, 600]) {
    const running = new Kindred(embedArgs(), at.env);
    const before = at.provider.requests.length;
    await until(() => at.provider.requests.length > before);
    await sleep(ms * Math.random());
    running.child.kill("SIGKILL");
    await running.outcome();
    const synced = await cachedIds().catch(() => new Set<bigint>());
    const first = at.provider.requests.length;
    const next = new Kindred(embedArgs(), at.env);
    // It may have been the last call of all that was killed.
    await until(() => answeredSince(first).length > 0 || next.child.exitCode !== null);
    next.child.kill("SIGINT");
    await next.outcome();
    const paidTwice = answeredSince(first).filter((text) => synced.has(BigInt(text.split(" ")[2] as string)));
    expect(paidTwice).toEqual([]);
  }
  behaviour = () => undefined;
  expect(await embed()).toMatchObject({ code: 0 });
  expect((await cachedIds()).size).toBe(COUNT);
}, 180_000);

test("a key that is refused in the middle: what was embedded is kept, and the exit code says configuration", async () => {
  const first = at.provider.requests.length;
  behaviour = () => (answeredSince(first).length >= 200 ? { kind: "status", status: 401 } : undefined);
  const denied = await embed();
  expect(denied.code).toBe(78);
  expect(denied.err).toContain("elsewhere denies access (401); look at the key in ELSEWHERE_API_KEY");
  expect(denied.err).toContain("Go on with: kindred songs embed");
  const kept = await cachedIds();
  expect(kept.size).toBe(answeredSince(first).length);
  expect(kept.size).toBeGreaterThanOrEqual(200);

  behaviour = () => undefined;
  expect(await embed()).toMatchObject({ code: 0 });
  expect(answeredSince(first).toSorted()).toEqual(TEXTS);
}, 600_000);

test("a service that is restarted in the middle is waited for", async () => {
  const first = at.provider.requests.length;
  behaviour = slowly;
  const running = new Kindred(embedArgs(), at.env);
  await until(() => answeredSince(first).length >= 60);
  await at.stack.killAndAwaitRestart("embedding");
  behaviour = () => undefined;
  expect(await running.outcome()).toMatchObject({ code: 0 });
  expect((await cachedIds()).size).toBe(COUNT);
}, 600_000);

test("a full disk ends it with its own exit code, and the next run goes on", async () => {
  const bin = new URL("../bin/kindred.mjs", import.meta.url).pathname;
  // The largest file that the process may write, in blocks of 1 KiB.
  const limited = spawn(
    "bash",
    ["-c", `ulimit -f 16 && exec "$0" "$@"`, process.execPath, bin, ...embedArgs()],
    { env: { ...process.env, NO_COLOR: "1", ...at.env }, stdio: ["ignore", "ignore", "pipe"] },
  );
  let err = "";
  limited.stderr.on("data", (chunk: Buffer) => (err += chunk.toString()));
  const [code] = (await once(limited, "close")) as [number];
  expect({ code, err }).toEqual({
    code: 73,
    err: expect.stringContaining("Go on with: kindred songs embed"),
  });
  expect(await embed()).toMatchObject({ code: 0 });
  expect((await cachedIds()).size).toBe(COUNT);
}, 600_000);

test("a cache that the disk has damaged is refused by name, and repaired when that is wished", async () => {
  expect(await embed()).toMatchObject({ code: 0 });
  const segment = join(songsLayout(folder).embeddings, "segment-000001.emb");
  const bytes = readFileSync(segment);
  bytes.fill(0xff, 200, 210);
  writeFileSync(segment, bytes);
  const refused = await embed();
  const damaged = { code: 65, err: expect.stringContaining(`${segment} is damaged`) as unknown };
  expect(refused).toMatchObject(damaged);
  expect(await kindred(["songs", "upload", "--folder", folder], at.env)).toMatchObject(damaged);
  const first = at.provider.requests.length;
  expect(await embed("--repair")).toMatchObject({ code: 0 });
  expect((await cachedIds()).size).toBe(COUNT);
  expect(answeredSince(first).length).toBeGreaterThan(0);
  const second = at.provider.requests.length;
  expect(await embed()).toMatchObject({ code: 0 });
  expect(answeredSince(second)).toEqual([]);
}, 300_000);

async function rowsOfTable(): Promise<number> {
  const { rows } = await database.query<{ n: number }>("SELECT count(*)::int AS n FROM song_embeddings");
  return rows[0]?.n ?? 0;
}

/** Of every row, in the order of ids. */
async function hashOfTable(): Promise<string> {
  const { rows } = await database.query<{ song_id: number; embedding: string }>(
    "SELECT song_id, embedding::text FROM song_embeddings ORDER BY song_id",
  );
  return createHash("sha256").update(JSON.stringify(rows)).digest("hex");
}

test("an upload that is killed, by either way, ends with the same table as one that is not", async () => {
  expect(await embed()).toMatchObject({ code: 0 });
  const store = at.stack.addresses["vector-store"] as string;
  const args = ["songs", "upload", "--folder", folder, "--batch-size", "7"];
  await database.query("TRUNCATE song_embeddings");
  expect(await kindred([...args, "--store", store], at.env)).toMatchObject({ code: 0 });
  const undisturbed = await hashOfTable();

  for (const way of [["--store", store], ["--store", store, "--method", "insert"], []]) {
    await database.query("TRUNCATE song_embeddings");
    for (let kill = 0; kill < 3; kill++) {
      const running = new Kindred([...args, ...way, ...(kill === 0 ? ["--anew"] : [])], at.env);
      const ended = running.outcome();
      const before = await rowsOfTable();
      await until(async () => running.child.exitCode !== null || (await rowsOfTable()) > before);
      await Promise.race([ended, sleep(100 * Math.random())]);
      running.child.kill(kill === 2 ? "SIGINT" : "SIGKILL");
      await ended;
    }
    expect(await kindred([...args, ...way], at.env)).toMatchObject({ code: 0 });
    expect(await hashOfTable()).toBe(undisturbed);
  }
}, 600_000);

test("an upload goes on when the store is restarted", async () => {
  expect(await embed()).toMatchObject({ code: 0 });
  await database.query("TRUNCATE song_embeddings");
  const store = at.stack.addresses["vector-store"] as string;
  const running = new Kindred(
    ["songs", "upload", "--folder", folder, "--batch-size", "2", "--store", store],
    at.env,
  );
  await until(async () => (await rowsOfTable()) > 0);
  await at.stack.killAndAwaitRestart("vector-store");
  expect(await running.outcome()).toMatchObject({
    code: 0,
    out: expect.stringContaining("songs has 600 rows"),
  });
}, 600_000);
