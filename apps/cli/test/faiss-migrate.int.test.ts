import { cpSync, existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { loadConfig } from "@kindred/config";
import { databaseSettings, openDatabase, type Database } from "@kindred/postgres";
import { describeWithSharedData, silentLogger, startStack, type Stack } from "@kindred/testing";
import { kindred, type Outcome } from "./kindred.ts";
import { runInProcess } from "./run-in-process.ts";

// The services, the model and the database, all real, and data sets that FAISS itself has written. The command runs in this process, once in
// one of its own.

describeWithSharedData("faiss", "the shared data sets of FAISS", (shared) => {
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
  const faiss = (...args: string[]): Promise<Outcome> =>
    runInProcess(["faiss", ...args, "--from", shared], env());

  async function rows(): Promise<{ images: number; embeddings: number }> {
    const { rows: found } = await database.query<{ images: number; embeddings: number }>(
      "SELECT (SELECT count(*) FROM images)::int AS images, (SELECT count(*) FROM embeddings)::int AS embeddings",
    );
    return found[0] as { images: number; embeddings: number };
  }

  test("a dry run of the folder writes nothing, and names what is broken", async () => {
    const { code, out, err } = await faiss("migrate");
    expect(code).toBe(65);
    expect(out).toContain("IndexFlatIP, 1,000 vectors of 384 dimensions, inner-product");
    expect(out).toContain('dict of columns, 400 records, by the ids in "ids"');
    expect(out).toContain("nothing was written: a dry run");
    expect(err).toMatch(/broken_count_mismatch is refused.*10 vectors and the metadata 9 records/);
    expect(err).toMatch(/broken_hostile_pickle is refused.*posix\.system at byte 30/);
    expect(err).toMatch(/broken_truncated is refused/);
    expect(await rows()).toEqual({ images: 0, embeddings: 0 });
  }, 120_000);

  test.each(["broken_count_mismatch", "broken_hostile_pickle", "broken_truncated"])(
    "%s: nothing is written, and nothing executed",
    async (name) => {
      const { code, out } = await faiss("migrate", "--dataset", name, "--apply");
      expect({ code, out }).toEqual({ code: 65, out: "" });
      expect(await rows()).toEqual({ images: 0, embeddings: 0 });
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
    expect((await rows()).embeddings).toBe(1_400);
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
    const before = await rows();
    cpSync(join(shared, "coco_idmap"), join(folder, "renamed"), { recursive: true });
    const args = ["--from", join(folder, "renamed"), "--apply", "--json", "--queries", "0"];
    const { code, out } = await runInProcess(["faiss", "migrate", ...args], env());
    expect(code).toBe(0);
    expect(JSON.parse(out)).toMatchObject({
      datasets: [{ images_added: 0, embeddings_added: 0, embeddings_existing: 400, neighbours: null }],
    });
    expect(await rows()).toEqual(before);
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
