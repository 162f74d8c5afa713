import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { startStack, type Stack } from "@kindred/testing";
import { kindred, type Outcome } from "./kindred.ts";

// The command, the origin, the services, the model and the database, all real. The tests build upon each other.

const SPACE = "local:sentence-transformers/all-MiniLM-L6-v2@53aa51172d14:384:mean:l2:256";

let stack: Stack;
let folder: string;
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "kindred-collections-"));
  stack = await startStack({ services: ["embedding", "vector-store"], origin: true });
}, 180_000);
afterAll(async () => {
  await stack?.[Symbol.asyncDispose]();
  rmSync(folder, { recursive: true, force: true });
});

const run = (...args: string[]): Promise<Outcome> =>
  kindred(args, { KINDRED_URL: stack.originUrl as string, KINDRED_HOME: folder });

async function json<T = Record<string, unknown>>(...args: string[]): Promise<T> {
  const { code, out, err } = await run(...args, "--json");
  if (code !== 0) throw new Error(`exit code ${code}\n${out}\n${err}`);
  return JSON.parse(out) as T;
}

function fileOf(name: string, rows: readonly object[]): string {
  const path = join(folder, name);
  writeFileSync(path, rows.map((row) => `${JSON.stringify(row)}\n`).join(""));
  return path;
}

const SONGS = [
  {
    key: "rain",
    text: "A slow song about rain on the window.",
    metadata: { year: 1990, genre: "jazz", tags: ["live"] },
  },
  {
    key: "sun",
    text: "A cheerful tune for a sunny day at the beach.",
    metadata: { year: 2001, genre: "pop" },
  },
  {
    key: "train",
    text: "The night train rolls through the dark.",
    metadata: { year: 1995, genre: "blues", tags: [] },
  },
  { key: "dog", text: "My dog barks at the mailman every morning.", metadata: { year: 2010, genre: "pop" } },
];

interface Found {
  hits: { key: string; similarity: number; metadata: { year: number } }[];
  plan: { complete: boolean };
}

test("a collection is created, filled with texts, and searched", async () => {
  const created = await json("collections", "create", "songs", "--space", SPACE);
  expect(created).toMatchObject({
    name: "songs",
    dimensions: 384,
    space_id: SPACE,
    kind: "COLLECTION_KIND_MANAGED",
  });
  const report = await json("vectors", "import", "songs", fileOf("songs.jsonl", SONGS));
  expect(report).toMatchObject({ files: [{ inserted: 4, rejected: 0 }] });

  const { hits, plan } = await json<Found>("search", "a rainy evening", "-c", "songs", "-k", "2");
  expect(hits.map(({ key }) => key)).toContain("rain");
  expect(plan.complete).toBe(true);
  const people = await run("search", "a rainy evening", "-c", "songs");
  expect(people.out).toMatch(/^ 1 +0\.\d{4} +rain +A slow song about rain on the window\. \{.*\}$/m);
  expect(people.out).toMatch(/ 4 hits · exact/);
}, 60_000);

test("filters mean what they say", async () => {
  const keysOf = async (filter: string): Promise<string[]> => {
    const { hits } = await json<Found>("search", "music", "-c", "songs", "--where", filter);
    return hits.map(({ key }) => key).toSorted();
  };
  expect(await keysOf("1990 < year <= 2001")).toEqual(["sun", "train"]);
  expect(await keysOf('genre in ("jazz", "blues") and not tags contains "live"')).toEqual(["train"]);
  expect(await keysOf("exists(tags)")).toEqual(["rain", "train"]);
  expect(await keysOf('genre ^= "p" or key_that_is_nowhere = 1')).toEqual(["dog", "sun"]);
  const mistaken = await run("search", "music", "-c", "songs", "--where", "year >");
  expect(mistaken).toMatchObject({ code: 2, err: expect.stringContaining("--where, column 7") });
}, 60_000);

test("several queries, keys, hybrid search, groups and diversity", async () => {
  const first = async (...args: string[]): Promise<string | undefined> =>
    (await json<Found>("search", ...args, "-c", "songs")).hits[0]?.key;
  expect(await first("--key", "rain")).not.toBe("rain");
  expect(await first("--also", "beach", "--also", "sunshine^0.5", "--unlike", "night train")).toBe("sun");
  expect(await first("pets", "--hybrid", "mailman")).toBe("dog");
  expect((await json<Found>("search", "music", "-c", "songs", "--group-by", "genre")).hits).toHaveLength(3);
  expect(
    (await json<Found>("search", "music", "-c", "songs", "--diverse", "0.3", "-k", "3")).hits,
  ).toHaveLength(3);
  const shown = await json<{ hits: { vector: number[] }[] }>(
    "search",
    "rain",
    "-c",
    "songs",
    "--show-vector",
    "-k",
    "1",
  );
  expect(shown.hits[0]?.vector).toHaveLength(384);
}, 60_000);

test("explain has the statement and PostgreSQL's plan", async () => {
  const { code, out } = await run("explain", "rain", "-c", "songs", "--where", "year > 1990", "--analyze");
  expect(code).toBe(0);
  expect(out).toMatch(/^ why\n {3}\S/m);
  expect(out).toMatch(/^ statement\n {3}.*(SELECT|WITH)/m);
  expect(out).toMatch(/^ parameters\n {3}\$1 = /m);
  expect(out).toMatch(/actual time|Execution Time/);
});

test("items are read, changed, deleted, and go out and in again as they were", async () => {
  const path = join(folder, "out.jsonl");
  expect(await json("vectors", "export", "songs", path)).toMatchObject({ items: 4 });
  const lines = readFileSync(path, "utf8")
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line) as { key: string });
  expect(lines.map(({ key }) => key)).toEqual(["dog", "rain", "sun", "train"]);

  await json("collections", "create", "copies", "--dimensions", "384", "--space", SPACE);
  await json("vectors", "import", "copies", path);
  const again = join(folder, "again.jsonl");
  await json("vectors", "export", "copies", again);
  expect(readFileSync(again, "utf8")).toBe(readFileSync(path, "utf8"));

  const refused = await run("vectors", "import", "copies", path);
  expect(refused).toMatchObject({ code: 1, err: expect.stringContaining("--on-conflict skip") });
  expect(await json("vectors", "import", "copies", path, "--on-conflict", "skip")).toMatchObject({
    files: [{ skipped: 4 }],
  });
  expect(await json("vectors", "import", "copies", path, "--on-conflict", "replace")).toMatchObject({
    files: [{ replaced: 4 }],
  });

  const [npy, keys] = [join(folder, "v.npy"), join(folder, "keys.txt")];
  await json("vectors", "export", "songs", npy, "--keys", keys);
  await json("vectors", "import", "copies", npy, "--keys", keys, "--on-conflict", "replace");

  await json("vectors", "update", "songs", "sun", "--metadata", '{"year": 2002}', "--merge");
  const got = await json<{ items: object[] }>("vectors", "get", "songs", "sun");
  expect(got.items).toMatchObject([{ key: "sun", metadata: { year: 2002, genre: "pop" } }]);
  expect((await run("vectors", "upsert", "songs", "--key", "new", "--text", "Snow falls.")).out).toBe(
    " inserted\n",
  );
  const page = await json<{ items: object[]; next_page_token: string }>(
    "vectors",
    "scroll",
    "songs",
    "--limit",
    "2",
  );
  expect(page).toMatchObject({
    items: [{ key: "dog" }, { key: "new" }],
    next_page_token: expect.stringMatching(/./),
  });
  expect(await json("vectors", "delete", "songs", "new", "nope")).toEqual({ deleted: 1 });
  expect(await json("vectors", "delete", "songs", "--where", "year > 2001", "--yes")).toEqual({ deleted: 2 });
}, 120_000);

test("bad rows are named by their lines", async () => {
  const path = fileOf("bad.jsonl", [
    { key: "a", text: "fine" },
    { key: "b", vector: [1, 2, 3] },
    { key: "c", text: "fine, too" },
  ]);
  const refused = await run("vectors", "import", "songs", path);
  expect(refused).toMatchObject({
    code: 65,
    err: expect.stringContaining('line 2: "vector" has 3 dimensions'),
  });
  const report = await json("vectors", "import", "songs", path, "--bad-rows", "skip");
  expect(report).toMatchObject({ files: [{ inserted: 2, rejected: 1, rejected_rows: [{ line: 2 }] }] });
}, 60_000);

test("collections are listed, measured, changed and deleted", async () => {
  const { out } = await run("collections", "list");
  expect(out).toMatch(/^ songs +managed +~?\d+ /m);
  expect(out).toMatch(/^ images +images +/m);
  expect(await json("collections", "stats", "copies", "--exact")).toMatchObject({
    rows: 4,
    estimated: false,
  });
  expect((await run("collections", "show", "songs")).out).toMatch(/^ recall target +0\.95$/m);
  expect(await json("collections", "update", "songs", "--recall", "0.98")).toMatchObject({
    recall_target: 0.98,
  });
  expect(await json("collections", "delete", "copies", "--yes")).toEqual({ vectors_deleted: 4 });
  expect(await run("collections", "show", "copies")).toMatchObject({
    code: 1,
    err: expect.stringContaining("copies"),
  });
  expect((await run("collections", "delete", "images", "--yes")).code).toBe(1);
}, 60_000);

test("pictures are searched as before", async () => {
  const { code, out } = await run("search", "a cat");
  expect({ code, out }).toEqual({
    code: 0,
    out: expect.stringMatching(/^ no picture was found\n 0 hits · /),
  });
});
