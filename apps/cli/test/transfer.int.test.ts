import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { loadConfig } from "@kindred/config";
import { databaseSettings, openDatabase, type Database } from "@kindred/postgres";
import { silentLogger, startStack, type Stack } from "@kindred/testing";
import sharp from "sharp";
import { Kindred, until, type Outcome } from "./kindred.ts";
import { runInProcess } from "./run-in-process.ts";

// What is exported, removed and imported again is what it was: with real services and a real database. The tests build upon each other.

const SPACE = "local:sentence-transformers/all-MiniLM-L6-v2@53aa51172d14:384:mean:l2:256";

let folder: string;
let stack: Stack;
let database: Database;
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "kindred-transfer-"));
  stack = await startStack({ services: ["embedding", "vector-store", "generation-tracking"], origin: true });
  database = await openDatabase({
    config: loadConfig(databaseSettings, { DATABASE_URL: stack.database?.url }),
    schema: "vector_store",
    applicationName: "transfer-test",
    logger: silentLogger(),
  });
}, 240_000);
afterAll(async () => {
  await database?.[Symbol.asyncDispose]();
  await stack?.[Symbol.asyncDispose]();
  rmSync(folder, { recursive: true, force: true });
});

const run = (...args: string[]): Promise<Outcome> =>
  runInProcess(args, { KINDRED_URL: stack.originUrl as string, KINDRED_HOME: folder });

async function json(...args: string[]): Promise<Record<string, unknown>> {
  const { code, out, err } = await run(...args, "--json");
  if (code !== 0) throw new Error(`exit code ${code}\n${out}\n${err}`);
  return JSON.parse(out) as Record<string, unknown>;
}

const fileOf = (name: string): string => join(folder, name);

/** Everything that callers say of images and embeddings; vectors as the bytes that they are. */
async function catalogueOf(): Promise<unknown[]> {
  const { rows } = await database.query(
    `SELECT i.image_path, i.description, i.tags, i.width, i.height, i.file_size_bytes::text, i.format, i.source_dataset,
            e.embedding_key, e.embedding_type, e.model_type, e.model_name, e.space_id, e.embedding_metadata,
            encode(vector_send(e.embedding), 'hex') AS vector
       FROM images i LEFT JOIN embeddings e ON e.image_id = i.id
      ORDER BY i.image_path, e.embedding_key`,
  );
  return rows;
}

async function itemsOf(name: string): Promise<unknown[]> {
  const { rows } = await database.query<{ id: string }>("SELECT id::text FROM collections WHERE name = $1", [
    name,
  ]);
  const tables = `collection_${rows[0]?.id}`;
  const items = await database.query(
    `SELECT v.key, encode(vector_send(v.embedding), 'hex') AS vector, i.metadata, i.document
       FROM ${tables}_vectors v LEFT JOIN ${tables}_items i ON i.key = v.key ORDER BY v.key`,
  );
  return items.rows;
}

async function generationsOf(): Promise<unknown[]> {
  const { rows } = await database.query(
    `SELECT prompt, augmented_prompt, output_path, seed::text, num_inference_steps, guidance_scale, generation_time_ms, memory_usage_mb,
            model_config, retrieved_examples, status, error_message, date_trunc('milliseconds', created_at)::text AS created_at
       FROM generation_tracking.generations ORDER BY created_at, id`,
  );
  return rows;
}

/** Finite float32 values that a careless way would change: -0, subnormals, the largest, thirds. */
const ODD = [-0, 1e-45, -1.1754942e-38, -1e18, 1 / 3, -1, 16_777_217, 0.1];
const oddVector = (i: number): number[] =>
  Array.from({ length: 384 }, (_, j) =>
    Math.fround(j < ODD.length ? (ODD[j] as number) : Math.sin(i * 384 + j)),
  );

function writeImages(path: string): void {
  const images = [
    ...Array.from({ length: 30 }, (_, i) => ({
      image_path: `odd/${i}.png`,
      description: `Image ${i} "with" é🦘`,
      tags: i % 3 === 0 ? [] : ["a", `b ${i}`],
      ...(i % 2 === 0 && { width: 10 + i, height: 20 + i, file_size_bytes: 5_000_000_000 + i }),
      format: "png",
      source_dataset: "odd",
      embeddings: Array.from({ length: i % 4 }, (_each, j) => ({
        key: `e${j}`,
        vector: oddVector(i * 4 + j),
        space_id: SPACE,
        embedding_type: "image",
        model_type: "clip",
        model_name: "clip/vit",
        metadata: { nested: { list: [1, null, true, "x"] }, i, j },
      })),
    })),
    { image_path: "text/1.png", description: "A cat on a sofa." },
    { image_path: "text/2.png", embeddings: [{ key: "t", text: "A dog in the snow." }] },
  ];
  writeFileSync(path, images.map((image) => `${JSON.stringify(image)}\n`).join(""));
}

async function emptied(table: string): Promise<void> {
  await database.query(`TRUNCATE ${table} CASCADE`);
}

describe("images", () => {
  test("what is in a file is in the catalogue", async () => {
    const path = fileOf("images.jsonl");
    writeImages(path);
    expect(await json("import", "images", path)).toMatchObject({
      files: [{ inserted: 32, skipped: 0, rejected: 0, embeddings_added: 45 }],
    });
    const rows = (await catalogueOf()) as { embedding_key: string | null; image_path: string }[];
    expect(rows.filter(({ embedding_key: key }) => key === null).map(({ image_path: name }) => name)).toEqual(
      Array.from({ length: 8 }, (_, i) => `odd/${4 * i}.png`).toSorted(),
    );
    expect(rows.find(({ image_path: name }) => name === "text/1.png")).toMatchObject({
      embedding_key: "description",
    });
  }, 120_000);

  test.each([".jsonl", ".parquet"])(
    "come back byte by byte from %s, and once",
    async (extension) => {
      const path = fileOf(`images-out${extension}`);
      const before = await catalogueOf();
      expect(await json("export", "images", path)).toMatchObject({ file: path, images: 32 });
      await emptied("images");
      expect(await json("import", "images", path, "--batch-size", "7")).toMatchObject({
        files: [{ inserted: 32, skipped: 0, rejected: 0, embeddings_added: 45 }],
      });
      expect(await catalogueOf()).toEqual(before);
      expect(await json("import", "images", path)).toMatchObject({
        files: [{ inserted: 0, skipped: 32, embeddings_added: 0, embeddings_existing: 45 }],
      });
      expect(await catalogueOf()).toEqual(before);
    },
    120_000,
  );

  test("vectors of another space are refused, and nothing is written", async () => {
    const path = fileOf("other-space.jsonl");
    const other = SPACE.replace("53aa51172d14", "000000000000");
    const embeddings = [{ key: "a", vector: oddVector(1), space_id: other }];
    writeFileSync(path, `${JSON.stringify({ image_path: "other", embeddings })}\n`);
    const before = await catalogueOf();
    const { code, err } = await run("import", "images", path);
    expect(code).toBe(1);
    expect(err).toContain("53aa51172d14");
    expect(err).toContain("000000000000");
    expect(err).toContain("nothing of it is stored");
    expect(await catalogueOf()).toEqual(before);
  }, 60_000);

  test("rows that the service refuses are named, or left out", async () => {
    const path = fileOf("bad.jsonl");
    const images = [
      { image_path: "good/1" },
      { image_path: "bad/1", format: "much too long" },
      { image_path: "good/2", embeddings: [] },
      { image_path: "bad/2", embeddings: [{ key: "a", vector: [1, 2, 3] }] },
      { image_path: "bad/3", description: "bare", format: "much too long", embeddings: [] },
      { image_path: "good/1", embeddings: [{ key: "a", vector: oddVector(1) }] },
    ];
    writeFileSync(path, images.map((image) => `${JSON.stringify(image)}\n`).join(""));
    const before = await catalogueOf();
    expect(await run("import", "images", path)).toMatchObject({
      code: 65,
      err: expect.stringMatching(/line 2: format must be at most 10 characters.* more bad row/),
    });
    expect(await catalogueOf()).toEqual(before);
    expect(await json("import", "images", path, "--bad-rows", "skip")).toMatchObject({
      files: [
        {
          inserted: 2,
          skipped: 1,
          rejected: 3,
          rejected_rows: [
            { line: 2, reason: expect.stringMatching(/^format must/) },
            { line: 4, reason: expect.stringMatching(/^embeddings\[0\]\.vector\.data must/) },
            { line: 5, reason: expect.stringMatching(/^format must/) },
          ],
          embeddings_added: 1,
        },
      ],
    });
    await database.query("DELETE FROM images WHERE image_path LIKE 'good/%'");
  }, 60_000);

  test("without vectors, texts are embedded again", async () => {
    const path = fileOf("texts.jsonl");
    await json("export", "images", path, "--no-vector");
    const lines = readFileSync(path, "utf8").split("\n");
    expect(lines.join()).not.toContain('"vector"');
    writeFileSync(path, `${lines.filter((line) => line.includes('"text/')).join("\n")}\n`);
    const texts = (await catalogueOf()).slice(-2);
    await emptied("images");
    expect(await json("import", "images", path)).toMatchObject({
      files: [{ inserted: 2, embeddings_added: 2 }],
    });
    expect(await catalogueOf()).toEqual(texts);
  }, 60_000);
});

describe("an import that is killed with SIGKILL", () => {
  const COUNT = 600;
  const count = async (): Promise<number> => {
    const { rows } = await database.query<{ n: number }>("SELECT count(*)::int AS n FROM images");
    return rows[0]?.n ?? 0;
  };

  test.each([".jsonl", ".parquet"])(
    "goes on from %s behind what is stored, and ends with the same rows",
    async (extension) => {
      await emptied("images");
      const lines = Array.from({ length: COUNT }, (_, i) => ({
        image_path: `many/${i}`,
        embeddings: [{ key: "a", vector: oddVector(i), space_id: SPACE }],
      }));
      const input = fileOf("many.jsonl");
      writeFileSync(input, lines.map((line) => `${JSON.stringify(line)}\n`).join(""));
      await json("import", "images", input);
      const undisturbed = await catalogueOf();
      const path = fileOf(`many-out${extension}`);
      await json("export", "images", path);
      await emptied("images");
      const running = new Kindred(["import", "images", path, "--batch-size", "2"], {
        KINDRED_URL: stack.originUrl as string,
        KINDRED_HOME: folder,
      });
      await until(async () => (await count()) >= 20);
      running.child.kill("SIGKILL");
      await running.outcome();
      const stored = await count();
      expect(stored).toBeLessThan(COUNT);
      const { files } = (await json("import", "images", path)) as { files: Record<string, number>[] };
      const resumedAfter = files[0]?.["resumed_after"] as number;
      // At most the batch that was under way is sent again.
      expect(resumedAfter).toBeGreaterThanOrEqual(stored - 2);
      expect(resumedAfter).toBeLessThanOrEqual(stored);
      expect(files[0]).toMatchObject({ inserted: COUNT - stored, skipped: stored - resumedAfter });
      expect(await catalogueOf()).toEqual(undisturbed);
    },
    120_000,
  );
});

describe("collections", () => {
  const items = Array.from({ length: 25 }, (_, i) => ({
    key: `k ${i}`,
    vector: oddVector(i)
      .slice(0, 7)
      .with(3, i / 3),
    ...(i % 2 === 0 && { metadata: { year: 1990 + i, deep: { a: [1, 2.5, null] } } }),
    ...(i % 3 === 0 && { document: `Song ${i}, "quoted"\nand long` }),
  }));

  test.each([".jsonl", ".parquet"])(
    "come back from %s with their shape, policy and items",
    async (extension) => {
      const name = `songs_${extension.slice(1)}`;
      const input = fileOf(`${name}-in.jsonl`);
      writeFileSync(input, items.map((item) => `${JSON.stringify(item)}\n`).join(""));
      await json("collections", "create", name, "--dimensions", "7", "--metric", "l2", "--recall", "0.9");
      await json("vectors", "import", name, input);
      const path = fileOf(`${name}${extension}`);
      await json("export", "collection", name, path);
      const [before, shown] = [await itemsOf(name), await json("collections", "show", name)];
      expect(before).toHaveLength(25);
      await json("collections", "delete", name, "--yes");
      expect(await json("import", "collection", path)).toMatchObject({
        collection: name,
        created: true,
        files: [{ inserted: 25 }],
      });
      expect(await itemsOf(name)).toEqual(before);
      const { created_at: _then, table: _before, ...expected } = shown;
      expect(await json("collections", "show", name)).toMatchObject(expected);
      // Again, and into a collection that was made by hand.
      expect(await json("import", "collection", path)).toMatchObject({
        created: false,
        files: [{ inserted: 0, skipped: 25 }],
      });
      await json("collections", "create", `${name}_2`, "--dimensions", "7");
      expect(await json("vectors", "import", `${name}_2`, path)).toMatchObject({ files: [{ inserted: 25 }] });
      expect(await itemsOf(`${name}_2`)).toEqual(before);
    },
    120_000,
  );

  test("one of another shape is refused", async () => {
    await json("collections", "create", "other", "--dimensions", "8");
    const { code, err } = await run("import", "collection", fileOf("songs_jsonl.jsonl"), "--name", "other");
    expect(code).toBe(1);
    expect(err).toMatch(/other is there and is another collection .*it has 8 dimensions, not 7/);
  }, 60_000);

  test("bits come back, too", async () => {
    const bits = Array.from({ length: 9 }, (_, i) => ({
      key: `b${i}`,
      vector: (i * 37).toString(2).padStart(11, "0"),
    }));
    const path = fileOf("bits.jsonl");
    writeFileSync(path, bits.map((item) => `${JSON.stringify(item)}\n`).join(""));
    await json("collections", "create", "codes", "--dimensions", "11", "--type", "bit");
    await json("vectors", "import", "codes", path);
    const out = fileOf("codes.parquet");
    await json("export", "collection", "codes", out);
    expect(await json("import", "collection", out, "--name", "codes_2")).toMatchObject({
      files: [{ inserted: 9 }],
    });
    const { out: lines } = await run("vectors", "export", "codes_2", "-");
    const parsed = lines.trimEnd().split("\n");
    expect(parsed.map((line) => JSON.parse(line) as unknown)).toEqual(bits);
  }, 60_000);
});

test.each([".jsonl", ".parquet"])(
  "generations come back from %s with their times, and once",
  async (extension) => {
    await emptied("generation_tracking.generations");
    await database.query(
      `INSERT INTO generation_tracking.generations
         (prompt, augmented_prompt, output_path, seed, num_inference_steps, guidance_scale, generation_time_ms, memory_usage_mb,
          model_config, retrieved_examples, status, error_message, created_at)
       SELECT 'prompt ' || n, CASE n % 2 WHEN 0 THEN 'augmented 🦘' END, CASE n % 3 WHEN 0 THEN 'out/' || n END,
              CASE n % 4 WHEN 0 THEN 9223372036854775807 - n END, CASE n % 5 WHEN 0 THEN n END, CASE n % 2 WHEN 1 THEN n / 3.0 END,
              n, CASE n % 7 WHEN 0 THEN 0.1 END, CASE n % 2 WHEN 0 THEN '{"model": "sd", "tiny": 1e-300, "list": [1, null]}'::jsonb END,
              jsonb_build_array(jsonb_build_object('image_id', n::text, 'image_path', 'a', 'caption', 'é', 'similarity', 0.25)),
              CASE n % 3 WHEN 0 THEN 'failed' ELSE 'completed' END, CASE n % 3 WHEN 0 THEN 'no memory' END,
              '2024-03-01 12:00:00Z'::timestamptz + n * interval '1 hour 1.001 seconds'
         FROM generate_series(1, 200) n`,
    );
    const before = await generationsOf();
    const path = fileOf(`generations${extension}`);
    expect(await json("export", "generations", path)).toMatchObject({ generations: 200 });
    const other = fileOf(`generations-again${extension === ".jsonl" ? ".parquet" : ".jsonl"}`);
    await json("export", "generations", other);
    await emptied("generation_tracking.generations");
    expect(await json("import", "generations", path, "--patience", "600")).toMatchObject({
      files: [{ rejected: 0, resumed_after: 0 }],
    });
    expect(await generationsOf()).toEqual(before);
    // The same generations, in the other form.
    expect(await json("import", "generations", other)).toMatchObject({
      files: [{ inserted: 0, skipped: 200 }],
    });
  },
  180_000,
);

test("a folder of pictures, and again", async () => {
  const photos = fileOf("photos");
  mkdirSync(join(photos, "inner"), { recursive: true });
  const picture = (width: number, height: number) =>
    sharp({ create: { width, height, channels: 3, background: "#369" } });
  await picture(30, 20).jpeg().toFile(join(photos, "cat.jpg"));
  await picture(5, 9)
    .png()
    .toFile(join(photos, "inner", "dog.png"));
  await picture(5, 9).webp().toFile(join(photos, "plain.webp"));
  writeFileSync(join(photos, "cat.txt"), "A cat on a sofa.\n\nA sleeping cat.\n");
  writeFileSync(join(photos, "inner", "dog.png.json"), '{"caption": "A dog.", "tags": ["pet"], "url": "x"}');
  writeFileSync(join(photos, "broken.png"), "no picture");
  writeFileSync(join(photos, "broken.txt"), "It is broken.");
  await emptied("images");
  expect(await json("import", "dir", photos, "--dry-run")).toMatchObject({ pictures: 2, images_added: 0 });
  expect(await catalogueOf()).toEqual([]);
  const report = await json("import", "dir", photos, "--dataset", "mine", "-t", "all");
  expect(report).toMatchObject({
    images_added: 2,
    embeddings_added: 3,
    files_skipped: 2,
    skipped: [
      { name: "broken.png", reason: expect.stringMatching(/unsupported image format/) },
      { name: "plain.webp", reason: "it has no caption" },
    ],
  });
  expect(await catalogueOf()).toMatchObject([
    {
      image_path: "photos/cat.jpg",
      description: "A cat on a sofa.",
      tags: ["all"],
      width: 30,
      height: 20,
      format: "jpg",
      source_dataset: "mine",
    },
    { image_path: "photos/cat.jpg" },
    { image_path: "photos/inner/dog.png", tags: ["all", "pet"], width: 5, height: 9, format: "png" },
  ]);
  expect(await json("import", "dir", photos)).toMatchObject({
    images_added: 0,
    images_existing: 2,
    embeddings_added: 0,
    embeddings_existing: 3,
  });
}, 120_000);
