import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, beforeEach, expect, test } from "@jest/globals";
import { startStack, type Stack } from "@kindred/testing";
import { Kindred, kindred, until, type Outcome } from "./kindred.ts";

// The command, the origin, the embedding service and its model, all real.

const MODEL = "all-MiniLM-L6-v2";
const SPACE = "local:sentence-transformers/all-MiniLM-L6-v2@53aa51172d14:384:mean:l2:256";
const DIMENSIONS = 384;
const NPY_HEADER = 128;

let stack: Stack;
let home: string;
let folder: string;
beforeAll(async () => {
  stack = await startStack({ services: ["embedding"], origin: true });
  home = mkdtempSync(join(tmpdir(), "kindred-embed-int-"));
}, 180_000);
afterAll(async () => {
  await stack?.[Symbol.asyncDispose]();
  rmSync(home, { recursive: true, force: true });
});
beforeEach(() => {
  folder = mkdtempSync(join(home, "files-"));
});

const env = (): Record<string, string> => ({ KINDRED_URL: stack.originUrl as string, KINDRED_HOME: home });

function json({ code, out, err }: Outcome): Record<string, unknown> {
  if (code !== 0) throw new Error(`exit code ${code}\n${out}\n${err}`);
  return JSON.parse(out) as Record<string, unknown>;
}

/** Vectors of texts as one call gives them. */
async function vectorsOf(...texts: string[]): Promise<number[][]> {
  const { results } = json(await kindred(["embed", ...texts, "--json"], env()));
  return (results as { vector: number[] }[]).map(({ vector }) => vector);
}

/** Texts of many lengths; some are empty, and some are longer than the model reads. */
function fileOf(count: number): { path: string; texts: string[] } {
  const texts = Array.from({ length: count }, (_, i) =>
    i % 50 === 7
      ? ""
      : `Number ${i}: ${"a red bicycle near a quiet river ".repeat(i % 100 === 3 ? 60 : i % 6)}.`,
  );
  const path = join(folder, "texts.txt");
  writeFileSync(path, `${texts.join("\n")}\n`);
  return { path, texts };
}

function npyRow(path: string, row: number): number[] {
  const bytes = readFileSync(path);
  const from = NPY_HEADER + row * DIMENSIONS * 4;
  return Array.from({ length: DIMENSIONS }, (_, i) => bytes.readFloatLE(from + 4 * i));
}

function expectNear(vector: readonly number[], expected: readonly number[]): void {
  expect(vector).toHaveLength(DIMENSIONS);
  for (const [i, value] of vector.entries()) expect(value).toBeCloseTo(expected[i] as number, 5);
}

test("texts become vectors of the model's space", async () => {
  const outcome = await kindred(
    ["embed", "a cat on a sofa", "a kitten on a couch", "--model", "minilm"],
    env(),
  );
  expect(outcome.code).toBe(0);
  expect(outcome.out).toContain(SPACE);
  // Length 1, and near to each other.
  expect(outcome.out).toMatch(/^ 2 +7 +1\.0000 +0\.8\d{3} .* a kitten on a couch$/m);
  const [vector] = await vectorsOf("a cat on a sofa");
  expect(Math.hypot(...(vector as number[]))).toBeCloseTo(1, 5);
});

test("every line of a file becomes the row of its number", async () => {
  const { path, texts } = fileOf(700);
  const out = join(folder, "vectors.npy");
  const report = json(await kindred(["embed", "--file", path, "--out", out, "--json"], env()));
  expect(report).toMatchObject({
    texts: 700,
    dimensions: DIMENSIONS,
    bytes: NPY_HEADER + 700 * DIMENSIONS * 4,
    space: { id: SPACE },
    truncated_texts: 7,
  });
  expect(statSync(out).size).toBe(report["bytes"]);
  expect(readFileSync(out, "latin1")).toContain("'shape': (700, 384), }");
  const rows = [0, 7, 103, 255, 256, 699];
  const expected = await vectorsOf(...rows.map((row) => texts[row] as string));
  for (const [i, row] of rows.entries()) expectNear(npyRow(out, row), expected[i] as number[]);
}, 60_000);

test("a pipe in, lines of JSON out", async () => {
  const { code, out, err } = await kindred(
    ["embed", "--file", "-", "--with-text", "--batch-size", "2"],
    env(),
    "rain\n\nsnow\r\nwind",
  );
  expect({ code, err: err.replace(/ +[\d.]+ m?s\n$/, "") }).toEqual({
    code: 0,
    err: "✔ embed      4 texts, 11 tokens, 384 dimensions",
  });
  const lines = out
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line) as { index: number; text: string; vector: number[] });
  expect(lines.map(({ index, text }) => [index, text])).toEqual([
    [0, "rain"],
    [1, ""],
    [2, "snow"],
    [3, "wind"],
  ]);
  const expected = await vectorsOf("rain", "", "snow", "wind");
  for (const [i, { vector }] of lines.entries()) expectNear(vector, expected[i] as number[]);
});

test("a service that is killed meanwhile is waited for, and nothing is missing or doubled", async () => {
  const { path, texts } = fileOf(1_500);
  const out = join(folder, "vectors.npy");
  const running = new Kindred(["embed", "--file", path, "--out", out, "--batch-size", "50"], env());
  const begun = () =>
    readdirSync(folder).some(
      (name) => name.endsWith(".part") && statSync(join(folder, name)).size > NPY_HEADER,
    );
  await until(begun);
  await stack.killAndAwaitRestart("embedding");
  const { code, out: said, err } = await running.outcome();
  expect(code).toBe(0);
  expect(err).toContain("the service is back; going on");
  expect(said).toContain("1,500 x 384");
  const rows = [0, 600, 1_051, 1_499];
  const expected = await vectorsOf(...rows.map((row) => texts[row] as string));
  for (const [i, row] of rows.entries()) expectNear(npyRow(out, row), expected[i] as number[]);
  expect(readdirSync(folder).toSorted()).toEqual(["texts.txt", "vectors.npy"]);
}, 120_000);

test("Ctrl+C leaves nothing that is half written", async () => {
  const { path } = fileOf(20_000);
  const out = join(folder, "vectors.f32");
  const running = new Kindred(["embed", "--file", path, "--out", out, "--batch-size", "20"], env());
  await until(() =>
    readdirSync(folder).some((name) => name.endsWith(".part") && statSync(join(folder, name)).size > 0),
  );
  running.child.kill("SIGINT");
  const { code, out: said, err } = await running.outcome();
  expect({ code, said }).toEqual({ code: 130, said: "" });
  expect(err).toMatch(/^error: Stopped after [\d,]+ texts; .*vectors\.f32 was not written\.$/m);
  expect(readdirSync(folder)).toEqual(["texts.txt"]);
}, 60_000);

test("Ctrl+C ends the waiting for a pipe that gives nothing", async () => {
  const out = join(folder, "vectors.npy");
  const running = new Kindred(["embed", "--file", "-", "--out", out], env(), null);
  // By then it reads.
  await until(() => readdirSync(folder).some((name) => name.endsWith(".part")));
  running.child.kill("SIGINT");
  expect(await running.outcome()).toMatchObject({
    code: 130,
    err: expect.stringContaining("Stopped after 0 texts"),
  });
  expect(readdirSync(folder)).toEqual([]);
});

test("models: what is served, how it is run, where it lies, how fast it is", async () => {
  const { models } = json(await kindred(["models", "list", "--json"], env()));
  expect(models).toMatchObject([
    { name: MODEL, is_default: true, provider: "local", state: "MODEL_STATE_READY", space: { id: SPACE } },
  ]);
  expect((await kindred(["models", "info"], env())).out).toMatch(/^ runs on +cpu \(asked for: auto; .+\)$/m);
  const pulled = json(await kindred(["models", "pull", "minilm", "--json"], env()));
  expect(pulled["name"]).toBe(MODEL);
  expect(existsSync(pulled["cache_path"] as string)).toBe(true);
  const bench = json(await kindred(["models", "bench", "--seconds", "1", "--texts", "128", "--json"], env()));
  expect(bench).toMatchObject({ bulk: { texts: expect.any(Number) }, cached_texts: 0 });
  expect((bench["bulk"] as Record<string, number>)["tokens_per_text"]).toBeGreaterThan(6);

  const unknown = await kindred(["models", "info", "bert"], env());
  expect({ code: unknown.code, out: unknown.out }).toEqual({ code: 2, out: "" });
  expect(unknown.err).toContain(MODEL);
}, 60_000);
