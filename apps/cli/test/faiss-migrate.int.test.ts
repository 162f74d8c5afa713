import { cpSync, existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { loadConfig } from "@kindred/config";
import { databaseSettings, openDatabase, type Database } from "@kindred/postgres";
import { unpackVectors } from "@kindred/rpc";
import {
  describeWithSharedData,
  faissIndexFile,
  pickleFile,
  silentLogger,
  startStack,
  type Stack,
} from "@kindred/testing";
import { openClients } from "../src/clients.ts";
import { kindred, type Outcome } from "./kindred.ts";
import { runInProcess } from "./run-in-process.ts";

// The services, the model and the database, all real. The command runs in this process, once in one of its own.

let folder: string;
let stack: Stack;
let database: Database;
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "kindred-faiss-"));
  stack = await startStack({ services: ["embedding", "vector-store"], origin: true });
  database = await openDatabase({
    config: loadConfig(databaseSettings, { DATABASE_URL: stack.database?.url }),
    schema: "vector_store",
    applicationName: "faiss-test",
    logger: silentLogger(),
  });
}, 180_000);
afterAll(async () => {
  await database?.[Symbol.asyncDispose]();
  await stack?.[Symbol.asyncDispose]();
  rmSync(folder, { recursive: true, force: true });
});

const env = (): Record<string, string> => ({
  KINDRED_URL: stack.originUrl as string,
  KINDRED_HOME: folder,
  KINDRED_CACHE_DIR: join(folder, "cache"),
});
const migrate = (from: string, ...args: string[]): Promise<Outcome> =>
  runInProcess(["faiss", "migrate", "--from", from, ...args], env());

interface Rows {
  images: number;
  embeddings: number;
}

async function rows(): Promise<Rows> {
  const { rows: found } = await database.query<Rows>(
    "SELECT (SELECT count(*) FROM images)::int AS images, (SELECT count(*) FROM embeddings)::int AS embeddings",
  );
  return found[0] as Rows;
}

describe("a data set of our own", () => {
  const SUBJECTS = [
    "cat",
    "dog",
    "train",
    "pizza",
    "surfer",
    "kite",
    "bicycle",
    "zebra",
    "umbrella",
    "clock",
  ];
  const PLACES = ["on a sofa", "in the snow", "near the sea", "in a kitchen", "at night", "under a bridge"];
  const captions = SUBJECTS.flatMap((subject) => PLACES.map((place) => `A ${subject} ${place}.`));

  /** Vectors twice as long as the model's, so that L2 and cosine do not mean the same. */
  async function makeDataset(): Promise<string> {
    const { embedding } = openClients({ url: stack.originUrl as string, timeoutMs: 60_000 });
    const reply = await embedding.embed({ texts: captions });
    const packed = unpackVectors(reply.vectors, 384);
    const vectors = captions.map((_, i) =>
      Array.from(packed.subarray(384 * i, 384 * (i + 1)), (value) => 2 * value),
    );
    const path = join(folder, "own", "pictures");
    mkdirSync(path, { recursive: true });
    const ids = captions.map((_, i) => 1_000 + 7 * i);
    writeFileSync(
      join(path, "faiss_index.bin"),
      faissIndexFile({ dimensions: 384, vectors, ids, metric: "l2" }),
    );
    const columns = {
      // In another order than the index.
      ids: ids.toReversed(),
      image_path: ids.toReversed().map((id) => `own/${id}.png`),
      description: captions.toReversed(),
      height: captions.map(() => 480),
      camera: captions.map((_, i) => `camera ${i % 3}`),
      model_name: "all-MiniLM-L6-v2",
    };
    writeFileSync(join(path, "metadata.pkl"), pickleFile(columns));
    return join(folder, "own");
  }

  test("is taken over, vector by vector, and adds nothing the second time", async () => {
    const from = await makeDataset();
    const dry = await migrate(from);
    expect(dry).toMatchObject({ code: 0, out: expect.stringContaining("60 vectors of 60 images") });
    expect(await rows()).toEqual({ images: 0, embeddings: 0 });

    const report = { complete: true, neighbours: { metric: "l2", mean_overlap: 1, worst_overlap: 1 } };
    const first = await migrate(from, "--apply", "--batch-size", "25", "--json");
    expect(first.code).toBe(0);
    expect(JSON.parse(first.out)).toMatchObject({
      datasets: [{ ...report, images_added: 60, embeddings_added: 60, description_cosine: 1 }],
    });
    const again = await migrate(from, "--apply", "--json");
    expect(JSON.parse(again.out)).toMatchObject({
      datasets: [{ ...report, images_added: 0, embeddings_added: 0, images_existing: 60 }],
    });
    expect(await rows()).toEqual({ images: 60, embeddings: 60 });

    const { rows: found } = await database.query(
      `SELECT image_path, description, height, format, source_dataset, model_name, embedding_metadata
         FROM images JOIN embeddings ON image_id = images.id WHERE image_path = 'own/1014.png'`,
    );
    expect(found).toEqual([
      {
        image_path: "own/1014.png",
        description: captions[2],
        height: 480,
        format: "png",
        source_dataset: "pictures",
        model_name: "all-MiniLM-L6-v2",
        embedding_metadata: { faiss_dataset: "pictures", faiss_id: 1_014, ids: 1_014, camera: "camera 0" },
      },
    ]);
  }, 120_000);
});

describeWithSharedData("faiss", "data sets that FAISS itself has written", (shared) => {
  let before: Rows;
  beforeAll(async () => {
    before = await rows();
  });

  test("a dry run of the folder writes nothing, and names what is broken", async () => {
    const { code, out, err } = await migrate(shared);
    expect(code).toBe(65);
    expect(out).toContain("IndexFlatIP, 1,000 vectors of 384 dimensions, inner-product");
    expect(out).toContain('dict of columns, 400 records, by the ids in "ids"');
    expect(out).toContain("nothing was written: a dry run");
    expect(err).toMatch(/broken_count_mismatch is refused.*10 vectors and the metadata 9 records/);
    expect(err).toMatch(/broken_hostile_pickle is refused.*posix\.system at byte 30/);
    expect(err).toMatch(/broken_truncated is refused/);
    expect(await rows()).toEqual(before);
  }, 120_000);

  test.each(["broken_count_mismatch", "broken_hostile_pickle", "broken_truncated"])(
    "%s: nothing is written, and nothing executed",
    async (name) => {
      const { code, out } = await migrate(shared, "--dataset", name, "--apply");
      expect({ code, out }).toEqual({ code: 65, out: "" });
      expect(await rows()).toEqual(before);
      for (const place of [process.cwd(), shared, join(shared, name), folder])
        expect(existsSync(join(place, "PWNED_BY_PICKLE"))).toBe(false);
    },
    60_000,
  );

  test("with --apply the sound ones are taken over, and neighbours are the same", async () => {
    const { code, out } = await kindred(["faiss", "migrate", "--from", shared, "--apply", "--json"], env());
    expect(code).toBe(65);
    const report = JSON.parse(out) as { datasets: Record<string, unknown>[]; refused: { dataset: string }[] };
    expect(report.refused.map(({ dataset }) => dataset)).toEqual([
      "broken_count_mismatch",
      "broken_hostile_pickle",
      "broken_truncated",
    ]);
    const neighbours = { queries: 50, k: 10, metric: "cosine", mean_overlap: 1, worst_overlap: 1 };
    expect(report.datasets).toMatchObject([
      { dataset: "coco_dataset", complete: true, images_added: 1_000, embeddings_added: 1_000, neighbours },
      { dataset: "coco_idmap", complete: true, neighbours },
    ]);
    expect((await rows()).embeddings - before.embeddings).toBe(1_400);
    const { rows: found } = await database.query(
      `SELECT description, tags, width, height, format, source_dataset, embedding_type, embedding_metadata
         FROM images JOIN embeddings ON image_id = images.id WHERE image_path = 'data/coco/val2017/000000000139.jpg'`,
    );
    expect(found).toEqual([
      {
        description: "A woman stands in the dining area at the table.",
        tags: ["coco", "val2017"],
        width: 640,
        height: 426,
        format: "jpg",
        source_dataset: "coco_val2017",
        embedding_type: "text",
        embedding_metadata: { faiss_dataset: "coco_dataset", faiss_id: 0 },
      },
    ]);
  }, 180_000);

  test("again, also from another folder, nothing is added", async () => {
    const all = await rows();
    cpSync(join(shared, "coco_idmap"), join(folder, "renamed"), { recursive: true });
    const args = ["--apply", "--json", "--queries", "0"];
    const { code, out } = await migrate(join(folder, "renamed"), ...args);
    expect(code).toBe(0);
    expect(JSON.parse(out)).toMatchObject({
      datasets: [{ images_added: 0, embeddings_added: 0, embeddings_existing: 400, neighbours: null }],
    });
    expect(await rows()).toEqual(all);
  }, 60_000);

  test("what was taken over is found by text", async () => {
    const args = ["search", "a big grizzly bear", "-k", "1", "--json"];
    const { code, out } = await runInProcess(args, env());
    expect(code).toBe(0);
    expect(JSON.parse(out)).toMatchObject({
      hits: [{ image: { description: expect.stringMatching(/bear/i) } }],
    });
  }, 60_000);
});
