import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { startStack, type Stack } from "@kindred/testing";
import { EXIT } from "../src/exit-codes.ts";
import { Kindred, kindred, type Outcome } from "./kindred.ts";

// The command, the origin, the vector store and the database, all real. The tests build upon each other.

const ROWS = 2_000;
const DIMENSIONS = 8;
/** An index is tuned before it serves, which takes its time where others use the machine, too. */
const SLOW_MS = 300_000;

let stack: Stack;
let folder: string;
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "kindred-indexes-"));
  stack = await startStack({ services: ["embedding", "vector-store"], origin: true });
  const path = join(folder, "songs.jsonl");
  const rows = Array.from({ length: ROWS }, (_, i) => {
    const vector = Array.from({ length: DIMENSIONS }, (__, j) => Math.sin((i + 1) * (j + 1.7)));
    return `${JSON.stringify({ key: `k${i}`, vector, metadata: { year: 1950 + (i % 70) } })}\n`;
  });
  writeFileSync(path, rows.join(""));
  const created = ["--dimensions", String(DIMENSIONS), "--maintenance", "manual"];
  await json("collections", "create", "songs", ...created);
  await json("vectors", "import", "songs", path);
}, 180_000);
afterAll(async () => {
  await stack?.[Symbol.asyncDispose]();
  rmSync(folder, { recursive: true, force: true });
});

const env = () => ({ KINDRED_URL: stack.originUrl as string, KINDRED_HOME: folder });
const run = (...args: string[]): Promise<Outcome> => kindred(args, env());

/** A database that has one session for everybody answers nobody while it builds. */
async function answered(...args: string[]): Promise<Outcome> {
  for (let tries = 1; ; tries++) {
    const outcome = await run(...args);
    if (outcome.code !== EXIT.unavailable || tries === 20) return outcome;
  }
}

async function json<T = Record<string, unknown>>(...args: string[]): Promise<T> {
  const { code, out, err } = await run(...args, "--json");
  if (code !== 0) throw new Error(`exit code ${code}\n${out}\n${err}`);
  return JSON.parse(out) as T;
}

interface Indexes {
  indexes: { name: string; method: string; valid: boolean; effort: number; rows_at_build: number }[];
}

test("a plan: what, how large, why, and the command for it", async () => {
  expect((await run("index", "list", "songs")).out).toContain("no vector index");
  const { code, out } = await run("index", "plan", "songs", "--kind", "hnsw", "--quantization", "none");
  expect(code).toBe(0);
  expect(out).toMatch(/^ index +hnsw, m=16 ef_construction=200, cosine$/m);
  expect(out).toMatch(/^ size +[\d.]+ \w+ on disk$/m);
  expect(out).toMatch(/^ {3}✔ /m);
  expect(out).toMatch(/^ kindred index create songs --kind hnsw --quantization none --metric cosine --m 16/m);
  const none = await json<{ chosen?: object; reasons: string[] }>("index", "plan", "songs");
  expect(none.chosen).toBeUndefined();
  expect(none.reasons.length).toBeGreaterThan(0);
}, 60_000);

test(
  "an index is built while it is watched, and searches use it",
  async () => {
    const built = await run("index", "create", "songs", "--kind", "hnsw", "--quantization", "none");
    expect(built).toMatchObject({
      code: 0,
      err: expect.stringMatching(/^✔ build +index build \d+ of songs/m),
    });
    expect(built.out).toMatch(/ hnsw +cosine +m=16 ef_construction=200 +valid /);
    const { indexes } = await json<Indexes>("index", "list", "songs");
    expect(indexes).toMatchObject([{ method: "hnsw", valid: true, rows_at_build: ROWS }]);
    const search = ["--key", "k7", "-c", "songs", "--recall-target", "0.9"];
    expect((await run("search", ...search, "--ef-search", "40")).code).toBe(2);
    expect((await run("search", ...search)).out).toMatch(/ 10 hits · (HNSW index .* \(target 0\.9\)|exact)/);
  },
  SLOW_MS,
);

test(
  "recall is measured, tuned and shown",
  async () => {
    const measured = await json("recall", "measure", "songs", "--queries", "50", "--effort", "40");
    expect(measured).toMatchObject({ collection: "songs", k: 10, effort: 40, recall_target: 0 });
    expect(measured["recall"]).toBeGreaterThan(0.5);
    const tuned = await run("recall", "tune", "songs", "--queries", "50", "--max-duration", "30s");
    expect(tuned).toMatchObject({ code: 0, out: expect.stringContaining("kindred recall curve songs") });
    const curve = await run("recall", "curve", "songs");
    expect(curve.out).toMatch(/^ +0\.950 ┼.* target$/m);
    expect(curve.out).toMatch(/^ effort +recall +at least +time/m);
    expect((await run("recall", "history", "songs")).out).toMatch(/ 10 +none +40 +[01]/);
    const { code, out } = await run("recall", "events", "songs");
    expect(code).toBe(0);
    expect(out).toMatch(/^ none|recall/);
  },
  SLOW_MS,
);

test("operations are listed, shown and watched, also when they have ended", async () => {
  const { operations } = await json<{ operations: { id: number; kind: string }[] }>(
    "operations",
    "list",
    "songs",
  );
  expect(operations.map(({ kind }) => kind)).toEqual([
    "OPERATION_KIND_RECALL_TUNING",
    "OPERATION_KIND_INDEX_BUILD",
  ]);
  const id = String(operations[1]?.id);
  expect((await run("operations", "show", id)).out).toMatch(/^ state +done$/m);
  const watched = await run("operations", "watch", id, "--json");
  expect(watched.code).toBe(0);
  const lines = watched.out.trimEnd().split("\n");
  expect(JSON.parse(lines.at(-1) as string)).toMatchObject({ state: "OPERATION_STATE_SUCCEEDED" });
  expect(await run("operations", "cancel", id)).toMatchObject({ code: 1, out: "" });
  expect(await run("operations", "show", "999999")).toMatchObject({ code: 1, out: "" });
}, 60_000);

test(
  "Ctrl+C leaves an operation running; cancelling ends it, and the index that was there serves on",
  async () => {
    const building = new Kindred(
      [
        "index",
        "create",
        "songs",
        "--kind",
        "hnsw",
        "--quantization",
        "halfvec",
        "--m",
        "48",
        "--ef-construction",
        "1000",
      ],
      env(),
    );
    await building.said("build ");
    building.child.kill("SIGINT");
    const stopped = await building.outcome();
    expect(stopped).toMatchObject({
      code: 130,
      err: expect.stringMatching(/goes on\.\n.*kindred operations cancel \d+/),
    });
    const id = /operations cancel (\d+)/.exec(stopped.err)?.[1] as string;
    const busy = await answered("index", "rebuild", "songs");
    const cancelled = await answered("operations", "cancel", id);
    const end = await answered("operations", "watch", id);
    // It may have been quicker than we were.
    if (cancelled.code === 0) {
      expect(end).toMatchObject({ code: 1, err: expect.stringContaining("was cancelled") });
      expect(busy).toMatchObject({
        code: 1,
        err: expect.stringContaining("kindred operations list songs --active"),
      });
    } else expect(end.code).toBe(0);
    const { indexes } = await json<Indexes>("index", "list", "songs");
    expect(indexes).toMatchObject([{ valid: true }]);
  },
  SLOW_MS,
);

test(
  "policy, advice, rebuild and drop",
  async () => {
    const policy = await run(
      "index",
      "policy",
      "songs",
      "--kind",
      "hnsw",
      "--min-rows",
      "50000",
      "--recall-target",
      "0.9",
    );
    expect(policy.out).toMatch(/^ recall target +0\.9\n index policy +hnsw$/m);
    expect((await run("index", "policy", "songs")).out).toBe(policy.out);
    const advice = await json<{ advice: { collection: string }[] }>("index", "advise", "songs");
    expect(advice.advice.every(({ collection }) => collection === "songs")).toBe(true);
    expect((await run("index", "advise")).code).toBe(0);
    const { indexes } = await json<Indexes>("index", "list", "songs");
    const name = indexes[0]?.name as string;
    expect(await json("index", "rebuild", "songs", "--index", name)).toMatchObject({
      kind: "OPERATION_KIND_INDEX_REBUILD",
      state: "OPERATION_STATE_SUCCEEDED",
    });
    expect((await run("index", "drop", "songs", name)).code).toBe(2);
    expect(await run("index", "drop", "songs", name, "--yes")).toMatchObject({
      code: 0,
      out: ` dropped ${name}\n`,
    });
    expect((await run("index", "list", "songs")).out).toContain("no vector index");
  },
  SLOW_MS,
);
