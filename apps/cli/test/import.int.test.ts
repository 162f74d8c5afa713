import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { loadConfig } from "@kindred/config";
import { databaseSettings, openDatabase, type Database } from "@kindred/postgres";
import { silentLogger, startStack, type Stack } from "@kindred/testing";
import { Kindred, kindred, until, type Outcome } from "./kindred.ts";

// The command, the origin, the services, the model and the database, all real.

const CAPTIONS_EACH = 5;
const SUBJECTS = ["cat", "dog", "train", "pizza", "surfer", "kite", "bicycle", "zebra", "umbrella", "clock"];
const PLACES = [
  "on a sofa",
  "in the snow",
  "near the sea",
  "in a kitchen",
  "at night",
  "under a bridge",
  "on a street",
];

let folder: string;
let stack: Stack;
let database: Database;
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "kindred-import-"));
  stack = await startStack({ services: ["embedding", "vector-store"], origin: true });
  database = await openDatabase({
    config: loadConfig(databaseSettings, { DATABASE_URL: stack.database?.url }),
    schema: "vector_store",
    applicationName: "import-test",
    logger: silentLogger(),
  });
}, 180_000);
afterAll(async () => {
  await database?.[Symbol.asyncDispose]();
  await stack?.[Symbol.asyncDispose]();
  rmSync(folder, { recursive: true, force: true });
});

/** A COCO file of our own making: `count` pictures from number `first` on, each with five captions. */
function cocoFile(first: number, count: number): string {
  const images = Array.from({ length: count }, (_, i) => first + i);
  const captionOf = (n: number, j: number): string =>
    `Number ${n}: a ${SUBJECTS[(n + j) % SUBJECTS.length]} ${PLACES[(n * 3 + j) % PLACES.length]}.`;
  const path = join(folder, `coco-${first}.json`);
  writeFileSync(
    path,
    JSON.stringify({
      info: { description: "made by a test" },
      images: images.map((n) => ({
        id: n,
        file_name: `${String(n).padStart(12, "0")}.jpg`,
        width: 640,
        height: 480,
      })),
      annotations: images.flatMap((n) =>
        Array.from({ length: CAPTIONS_EACH }, (_, j) => ({
          id: 10 * n + j,
          image_id: n,
          caption: captionOf(n, j),
        })),
      ),
    }),
  );
  return path;
}

const env = (): Record<string, string> => ({ KINDRED_URL: stack.originUrl as string, KINDRED_HOME: folder });

interface Rows {
  images: number;
  embeddings: number;
  doubled: number;
}

async function rows(): Promise<Rows> {
  const { rows: found } = await database.query<Rows>(
    `SELECT (SELECT count(*) FROM images)::int AS images,
            (SELECT count(*) FROM embeddings)::int AS embeddings,
            (SELECT count(*) - count(DISTINCT embedding_metadata->>'annotation_id') FROM embeddings)::int AS doubled`,
  );
  return found[0] as Rows;
}

function reportOf({ code, out, err }: Outcome): Record<string, unknown> {
  if (code !== 0) throw new Error(`exit code ${code}\n${out}\n${err}`);
  return JSON.parse(out) as Record<string, unknown>;
}

const FILE = { first: 1, count: 60 };

test("every picture becomes an image, every caption an embedding", async () => {
  const report = reportOf(
    await kindred(["import", "coco", cocoFile(FILE.first, FILE.count), "--json"], env()),
  );
  expect(report).toMatchObject({
    images_added: 60,
    images_existing: 0,
    embeddings_added: 300,
    embeddings_existing: 0,
    batches_unconfirmed: 0,
    complete: true,
  });
  expect(report["seconds"]).toBeGreaterThan(0);
  expect(await rows()).toEqual({ images: 60, embeddings: 300, doubled: 0 });
  const { rows: image } = await database.query(
    `SELECT image_path, description, width, height, source_dataset, format, embedding_key, embedding_type, embedding_metadata
       FROM images JOIN embeddings ON image_id = images.id
      WHERE image_path = 'coco/val2017/000000000007.jpg' ORDER BY embedding_key LIMIT 1`,
  );
  expect(image).toEqual([
    {
      image_path: "coco/val2017/000000000007.jpg",
      description: "Number 7: a zebra on a sofa.",
      width: 640,
      height: 480,
      source_dataset: "coco-val2017",
      format: "jpg",
      embedding_key: "coco-caption-70",
      embedding_type: "text",
      embedding_metadata: expect.objectContaining({ annotation_id: 70 }),
    },
  ]);
}, 120_000);

test("what was imported is found", async () => {
  const { code, out } = await kindred(["search", "a zebra on a sofa", "-k", "3", "--json"], env());
  expect(code).toBe(0);
  const { hits } = JSON.parse(out) as { hits: { similarity: number; metadata: { text: string } }[] };
  expect(hits).toHaveLength(3);
  expect(hits[0]?.metadata.text).toMatch(/zebra on a sofa/);
}, 60_000);

test("importing twice adds nothing", async () => {
  const before = await rows();
  const { code, out } = await kindred(["import", "coco", cocoFile(FILE.first, FILE.count)], env());
  expect(code).toBe(0);
  expect(out).toMatch(/0 images and 0 embeddings added/);
  expect(out).toMatch(/60 images and 300 embeddings were there already/);
  expect(await rows()).toEqual(before);
}, 60_000);

test("a file that is not COCO is one clear line, and nothing is written", async () => {
  const before = await rows();
  const path = join(folder, "not-coco.json");
  writeFileSync(
    path,
    JSON.stringify({
      images: [{ id: 1, file_name: "new.jpg" }],
      annotations: [{ id: 1, image_id: 2, caption: "x" }],
    }),
  );
  const { code, out, err } = await kindred(["import", "coco", path], env());
  expect({ code, out }).toEqual({ code: 65, out: "" });
  expect(err).toContain("is not a COCO captions file: annotations[0].image_id 2 is none of the images");
  expect(await rows()).toEqual(before);
}, 60_000);

describe("a service is killed with SIGKILL during the import", () => {
  test.each([
    ["vector-store", 1_000],
    ["embedding", 2_000],
    ["origin", 3_000],
  ])(
    "%s: it resumes, and no row is doubled or lost",
    async (victim, first) => {
      const before = await rows();
      const path = cocoFile(first, 300);
      const running = new Kindred(["import", "coco", path, "--batch-size", "25", "--json"], env());
      // In the middle: some of it is stored, most of it is not.
      await until(async () => (await rows()).images >= before.images + 30);
      await stack.killAndAwaitRestart(victim);
      expect(running.child.exitCode).toBeNull();
      expect(reportOf(await running.outcome())).toMatchObject({
        images_added: 300,
        images_existing: 0,
        embeddings_added: 1_500,
        embeddings_existing: 0,
        complete: true,
      });
      expect(await rows()).toEqual({
        images: before.images + 300,
        embeddings: before.embeddings + 1_500,
        doubled: 0,
      });
    },
    180_000,
  );

  test("one that stays away: exactly what is stored is reported, and the same command completes it", async () => {
    const before = await rows();
    const path = cocoFile(5_000, 200);
    const args = ["import", "coco", path, "--batch-size", "25", "--patience", "0", "--json"];
    const running = new Kindred(args, env());
    await until(async () => (await rows()).images >= before.images + 20);
    await stack.killAndAwaitRestart("vector-store");
    const { code, out, err } = await running.outcome();
    expect(code).toBe(69);
    const report = JSON.parse(out) as Record<string, number>;
    expect(report).toMatchObject({ complete: false, images_existing: 0 });
    expect(JSON.parse(err)).toMatchObject({
      error: { remedy: expect.stringContaining("same command again") },
    });
    const stored = (await rows()).images - before.images;
    // A batch without an answer is stored or not: five pictures each, and no more than the report allows for.
    expect(stored).toBeGreaterThanOrEqual(report["images_added"] as number);
    expect(stored).toBeLessThanOrEqual(
      (report["images_added"] as number) + 5 * (report["batches_unconfirmed"] as number),
    );

    const again = reportOf(await kindred(["import", "coco", path, "--json"], env()));
    expect(again).toMatchObject({ images_added: 200 - stored, images_existing: stored, complete: true });
    expect(await rows()).toEqual({
      images: before.images + 200,
      embeddings: before.embeddings + 1_000,
      doubled: 0,
    });
  }, 180_000);
});
