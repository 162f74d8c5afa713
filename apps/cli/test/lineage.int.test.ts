import { createHash } from "node:crypto";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createClient, type Client } from "@connectrpc/connect";
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { ImageService } from "@kindred/contracts/vector-store/v1";
import { openChannel, type Channel } from "@kindred/rpc";
import { startStack, type Stack } from "@kindred/testing";
import { EXIT } from "../src/exit-codes.ts";
import type { Outcome } from "./kindred.ts";
import { runInProcess } from "./run-in-process.ts";

// The command, the origin, the services, the model and the database, all real. The tests build upon each other.

const CAPTIONS: Record<string, string> = {
  "kite.png": "A red kite flies over a sandy beach.",
  "kites.png": "Several kites in the air above the sea.",
  "sand.png": "Children play with sand at the beach.",
  "cat.png": "A cat sleeps on a sofa.",
  "train.png": "A steam train in the fog.",
};
const QUERY = "a kite at the beach";

let stack: Stack;
let folder: string;
let vectorStore: Channel;
let images: Client<typeof ImageService>;
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "kindred-lineage-"));
  stack = await startStack({ services: ["embedding", "vector-store", "generation-tracking"], origin: true });
  vectorStore = openChannel({ address: stack.addresses["vector-store"] as string });
  images = createClient(ImageService, vectorStore.transport);
  for (const [imagePath, description] of Object.entries(CAPTIONS)) {
    await images.addImageWithEmbeddings({ image: { imagePath, description } });
  }
}, 300_000);
afterAll(async () => {
  await vectorStore?.[Symbol.asyncDispose]();
  await stack?.[Symbol.asyncDispose]();
  rmSync(folder, { recursive: true, force: true });
});

const run = (...args: string[]): Promise<Outcome> =>
  runInProcess(args, { KINDRED_URL: stack.originUrl as string, KINDRED_HOME: folder });

async function json<T = Record<string, unknown>>(...args: string[]): Promise<T> {
  const { code, out, err } = await run(...args, "--json");
  if (code !== 0) throw new Error(`exit code ${code}\n${out}\n${err}`);
  return JSON.parse(out) as T;
}

interface Recorded {
  id: number;
  retrieved_examples: { image_id: number; image_path: string; caption: string; rank: number }[];
  retrieval: Record<string, unknown>;
}
const record = (...args: string[]): Promise<Recorded> => json("generations", "record", ...args);

interface Replayed {
  query: string;
  overlap?: number;
  space_changed: boolean;
  changes: {
    image_path: string;
    kind: string;
    rank_then: number;
    rank_now: number;
    caption_changed: boolean;
  }[];
  retrieval_now: Record<string, unknown>;
}
const changesOf = ({ changes }: Replayed): [string, string][] =>
  changes.map(({ image_path: path, kind }) => [path, kind.replace("EXAMPLE_CHANGE_KIND_", "").toLowerCase()]);

let first: Recorded;

test("record --from-search keeps what was found, and how", async () => {
  first = await record("--prompt", "a painted kite", "--from-search", QUERY, "-k", "3", "--threshold", "-1");
  expect(first.retrieved_examples).toHaveLength(3);
  expect(first.retrieved_examples.map(({ rank }) => rank)).toEqual([1, 2, 3]);
  expect(first.retrieved_examples[0]).toMatchObject({
    image_path: "kite.png",
    caption: "A red kite flies over a sandy beach.",
  });
  expect(first.retrieval).toMatchObject({ query: QUERY, k: 3, threshold: -1, method: "exact" });
  expect(first.retrieval["space_id"]).toMatch(/./);
});

test("a replay of today finds the same", async () => {
  const replayed = await json<Replayed>("generations", "replay", String(first.id));
  expect(replayed).toMatchObject({ query: QUERY, overlap: 1, space_changed: false });
  expect(changesOf(replayed)).toEqual(first.retrieved_examples.map(({ image_path: path }) => [path, "same"]));
  expect(replayed.retrieval_now).toEqual(first.retrieval);
});

test("a replay says what was added, moved, dropped, deleted and described anew", async () => {
  const [best, second, third] = first.retrieved_examples;
  await images.deleteImage({ id: BigInt(best!.image_id) });
  await images.addImageWithEmbeddings({ image: { imagePath: "new.png", description: QUERY } });
  // A nearer caption of the same picture: what is recorded is the text that was nearest.
  await images.addEmbeddings({
    imageId: BigInt(second!.image_id),
    embeddings: [{ key: "again", source: { case: "text", value: "One kite, at a beach." } }],
  });
  const replayed = await json<Replayed>("generations", "replay", String(first.id), "-k", "2", "--exact");
  expect(changesOf(replayed)).toEqual([
    ["new.png", "added"],
    [second!.image_path, "same"],
    [best!.image_path, "deleted"],
    [third!.image_path, "dropped"],
  ]);
  expect(replayed.changes.map(({ caption_changed: changed }) => changed)).toEqual([
    false,
    true,
    false,
    false,
  ]);
  expect(replayed.overlap).toBeCloseTo(1 / 3);

  const shown = await run("generations", "replay", String(first.id), "-k", "2");
  expect(shown.code).toBe(0);
  expect(shown.out).toMatch(/1\s+deleted from the catalogue\s.*kite\.png/);
  expect(shown.out).toMatch(/same, another caption/);
  expect(shown.out).toContain("33 % of 3 examples of then are retrieved today · then exact, today exact");
});

test("uses: by id and by path, also of a picture that is deleted", async () => {
  const [best] = first.retrieved_examples;
  const other = await record("--prompt", "another", "--from-search", QUERY, "-k", "2");
  const third = first.retrieved_examples[1]!;
  for (const image of [String(third.image_id), third.image_path]) {
    expect(await json("generations", "uses", image)).toMatchObject({
      total: 2,
      uses: [
        { generation: { id: other.id }, example: { rank: 2, caption: "One kite, at a beach." } },
        { generation: { id: first.id }, example: { rank: 2, caption: third.caption } },
      ],
    });
  }
  const { out } = await run("generations", "uses", best!.image_path, "-n", "1");
  expect(out).toMatch(new RegExp(`^\\s+${first.id}\\s.*a painted kite`, "m"));
  expect((await run("generations", "uses", "999999")).out).toContain("no generation retrieved this image");
});

test("lineage: a tree of variations, with the examples, the files and the batch", async () => {
  const parent = String(first.id);
  const child = await record("--prompt", "bluer", "--parent", parent, "--batch", "b1", "-o", "out/1.png");
  const grandchild = await record("--prompt", "bluest", "--parent", String(child.id));
  await record("--prompt", "greener", "--parent", parent);
  await record("--prompt", "made together", "--batch", "b1");
  const { code, out } = await run("generations", "lineage", String(child.id));
  expect(code).toBe(0);
  expect(out.split("\n").slice(0, 3)).toEqual([
    ` ${first.id}  a painted kite`,
    ` └─ ${child.id}  bluer ◄`,
    `    └─ ${grandchild.id}  bluest`,
  ]);
  expect(out).toContain("out/1.png");
  expect(out).toMatch(/others of batch b1[\s\S]*made together/);
  const whole = await run("generations", "lineage", parent);
  expect(whole.out).toMatch(/├─ \d+ {2}bluer\n │ {2}└─ \d+ {2}bluest\n └─ \d+ {2}greener/);
  expect(whole.out).toContain(`made from 3 examples for "${QUERY}", k 3, similarity at least -1, exact`);
  expect(await json("generations", "lineage", parent, "--depth", "1")).toMatchObject({
    descendants: [{ prompt: "bluer" }, { prompt: "greener" }],
  });
  expect((await run("generations", "lineage", "999999")).code).toBe(EXIT.failure);
});

test("diff: what differs, and how much is equal", async () => {
  const settings = ["--prompt", "p", "--steps", "30"];
  const left = await record(
    ...settings,
    "--seed",
    "9007199254740993",
    "--model",
    '{"model":"m","cfg":{"scale":7}}',
  );
  const right = await record(...settings, "--seed", "1", "--model", '{"model":"m","cfg":{"scale":8}}');
  expect(await json("generations", "diff", String(left.id), String(right.id))).toEqual({
    differences: [
      { path: "seed", left: "9007199254740993", right: 1 },
      { path: "model_config.cfg.scale", left: 7, right: 8 },
    ],
    equal: 4,
  });
  const { out } = await run("generations", "diff", String(left.id), String(right.id));
  expect(out).toMatch(/model_config\.cfg\.scale\s+7\s+8/);
  expect((await run("generations", "diff", String(left.id), String(left.id))).out).toContain(
    "the same settings",
  );
});

interface Verified {
  looked: number;
  kept: number;
  missing: number;
  changed: number;
  problems: { generation_id: number; path: string; state: string }[];
}

test("verify: kept, missing and changed files, and the exit code that says so", async () => {
  const file = (name: string, text: string): void => writeFileSync(join(folder, name), text);
  file("one.png", "one");
  file("two.png", "two");
  const outputs = ["one.png", "two.png", "s3://bucket/three.png", "../four.png"];
  const { id } = await record("--prompt", "files", ...outputs.flatMap((path) => ["-o", path]));
  const verify = async (...args: string[]): Promise<Verified & { code: number | null }> => {
    const { code, out } = await run("generations", "verify", String(id), "--root", folder, "--json", ...args);
    return { ...(JSON.parse(out) as Verified), code };
  };
  expect(await verify()).toMatchObject({
    code: 0,
    looked: 2,
    kept: 2,
    elsewhere: 2,
    reported: 2,
    problems: [],
  });
  const { outputs: known } = await json<{ outputs: { sha256: string; size_bytes: number; state: string }[] }>(
    "generations",
    "show",
    String(id),
  );
  expect(known[0]).toMatchObject({
    sha256: createHash("sha256").update("one").digest("base64"),
    size_bytes: 3,
    state: "OUTPUT_STATE_KEPT",
  });
  expect(known[2]).toMatchObject({ state: "OUTPUT_STATE_UNSPECIFIED" });

  file("one.png", "eno");
  rmSync(join(folder, "two.png"));
  const problems = [
    { generation_id: id, position: 1, path: "one.png", state: "changed" },
    { generation_id: id, position: 2, path: "two.png", state: "missing" },
  ];
  const looked = await verify("--no-report", "--parallel", "1");
  expect(looked).toMatchObject({ code: EXIT.data, changed: 1, missing: 1, reported: 0, problems });
  expect(await verify("--state", "missing")).toMatchObject({ code: 0, looked: 0 });
  expect(await verify()).toMatchObject({ code: EXIT.data, reported: 2 });
  file("two.png", "two");
  expect(await verify("--state", "missing")).toMatchObject({ code: 0, looked: 1, kept: 1 });

  const { code, out } = await run("generations", "verify", "--root", folder);
  expect(code).toBe(EXIT.data);
  expect(out).toMatch(new RegExp(`changed\\s+${id}\\s+one\\.png`));
  expect(out).toMatch(/missing\s+\d+\s+out\/1\.png/);
  expect(out).toContain(`3 files below ${folder}: 1 kept, 1 missing, 1 changed · 2 elsewhere, not looked at`);
});

test("verify refuses to guess where files are", async () => {
  const nowhere = await run("generations", "verify");
  expect(nowhere.code).toBe(EXIT.usage);
  expect(nowhere.err).toContain("--root FOLDER");
  expect((await run("generations", "verify", "--root", join(folder, "none"))).code).toBe(EXIT.data);
  expect((await run("generations", "verify", "--root", join(folder, "one.png"))).code).toBe(EXIT.data);
});

test("while the vector store is away a replay says so, and lineages go on", async () => {
  await stack.process("vector-store").stop();
  const { code, err } = await run("generations", "replay", String(first.id));
  expect(code).toBe(EXIT.unavailable);
  expect(err).toContain("the vector store cannot be asked");
  expect((await run("generations", "lineage", String(first.id))).code).toBe(0);
});
