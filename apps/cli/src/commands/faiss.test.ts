import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "@jest/globals";
import { KindredError } from "@kindred/errors";
import { faissIndexFile, pickleFile, type Picklable, type TestIndex } from "@kindred/testing";
import { SPACE, vectorOf } from "../../test/fake-embedding.ts";
import {
  fakeImageStore,
  type FakeImageStore,
  type FakeImageStoreOptions,
} from "../../test/fake-image-store.ts";
import type { Outcome } from "../../test/kindred.ts";
import { runInProcess } from "../../test/run-in-process.ts";

let folder: string;
let cleanup: AsyncDisposableStack;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "kindred-faiss-"));
  cleanup = new AsyncDisposableStack();
});
afterEach(async () => {
  await cleanup.disposeAsync();
  rmSync(folder, { recursive: true });
});

const service = async (options?: FakeImageStoreOptions): Promise<FakeImageStore> =>
  cleanup.use(await fakeImageStore(options));

const faiss = (at: { url: string }, ...args: string[]): Promise<Outcome> =>
  runInProcess(["faiss", ...args, "--from", join(folder, "sets"), "--url", at.url], {
    KINDRED_HOME: folder,
    KINDRED_CACHE_DIR: join(folder, "cache"),
  });

const textOf = (i: number): string => `${"x".repeat(i)}caption ${String.fromCodePoint(97 + (i % 26))}`;

/** `count` pictures, with the vectors that the served model makes of their descriptions. */
function dataset(
  name: string,
  count: number,
  change: { index?: Partial<TestIndex>; records?: (records: Picklable[]) => Picklable } = {},
): string {
  const path = join(folder, "sets", name);
  mkdirSync(path, { recursive: true });
  const texts = Array.from({ length: count }, (_, i) => textOf(i));
  const records = texts.map((description, i) => ({
    image_path: `${name}/${i}.jpg`,
    description,
    width: 10 + i,
  }));
  const index = faissIndexFile({ dimensions: 3, vectors: texts.map(vectorOf), ...change.index });
  writeFileSync(join(path, "faiss_index.bin"), index);
  writeFileSync(join(path, "metadata.pkl"), pickleFile(change.records?.(records) ?? records));
  return path;
}

const json = ({ out }: Outcome): { datasets: Record<string, unknown>[]; refused: unknown[] } =>
  JSON.parse(out) as { datasets: Record<string, unknown>[]; refused: unknown[] };
const AWAY = { url: "http://127.0.0.1:9" };

describe("list and inspect", () => {
  test("what is there, and what is wrong with it, without Kindred", async () => {
    dataset("good", 5);
    dataset("short", 5, { records: (records) => records.slice(1) });
    const { code, out } = await faiss(AWAY, "list");
    expect(code).toBe(0);
    expect(out).toMatch(/good +IndexFlatIP +5 +3 +list of dicts/);
    expect(out).toMatch(/short .*5 vectors and the metadata 4 records/);
    const listed = JSON.parse((await faiss(AWAY, "list", "--json")).out) as unknown;
    expect(listed).toMatchObject({
      datasets: [
        { dataset: "good", kind: "IndexFlatIP", vectors: 5, problem: "" },
        { dataset: "short", kind: "", problem: expect.stringMatching(/^the index has 5 .* 4 records/) },
      ],
    });
  });

  test("inspect shows fields, samples, and what would be skipped", async () => {
    dataset("mixed", 5, {
      index: {
        vectors: [
          [1, 0, 0],
          [0, 0, 0],
          [0, 1, 0],
          [0, 0, 1],
          [1, 1, 1],
        ],
        ids: [10, 11, 12, 13, 14],
      },
      records: () => [
        { path: "a.jpg", caption: "A." },
        { path: "b.jpg" },
        { caption: "no path" },
        { path: "c.jpg", width: "wide" },
        { path: "a.jpg", caption: "Another of it." },
      ],
    });
    const { code, out } = await faiss(AWAY, "inspect", "mixed");
    expect(code).toBe(0);
    expect(out).toContain("IndexIDMap(IndexFlatIP), 5 vectors of 3 dimensions, inner-product");
    expect(out).toContain("path (4), caption (3), width (1)");
    expect(out).toContain("2 vectors of 1 image");
    expect(out).toContain("1: its vector is all zeros (id 11)");
    expect(out).toContain("1: it has no image_path (id 12)");
    expect(out).toContain("1: its width is no integer from 1 to 2147483647 (id 13)");
    expect(out).toMatch(/for example\n +a\.jpg +A\./);
  });

  test("a folder without data sets, and a name that is none", async () => {
    mkdirSync(join(folder, "sets"));
    expect(await faiss(AWAY, "list")).toMatchObject({
      code: 65,
      err: expect.stringContaining("no data set in"),
    });
    dataset("good", 1);
    expect(await faiss(AWAY, "inspect", "bad")).toMatchObject({
      code: 65,
      err: expect.stringMatching(/no data set bad.*\n.*There are: good/),
    });
  });
});

describe("migrate", () => {
  test("a dry run says what would be written, and writes nothing", async () => {
    const at = await service();
    dataset("good", 12);
    const { code, out } = await faiss(at, "migrate");
    expect(code).toBe(0);
    expect(out).toContain("12 vectors of 12 images");
    expect(out).toContain(`${SPACE.id} (cosine to their embedded descriptions: 1)`);
    expect(out).toContain("nothing was written: a dry run. Write it with --apply");
    expect({ images: at.images.size, batches: at.batches }).toEqual({ images: 0, batches: [] });
    expect(existsSync(join(folder, "cache"))).toBe(false);
  });

  test("a dry run says what it can where Kindred is not; --apply does not begin", async () => {
    dataset("good", 12);
    const dry = await faiss(AWAY, "migrate");
    expect(dry).toMatchObject({
      code: 0,
      out: expect.stringMatching(/nor compared with Kindred \(.*cannot be reached/),
    });
    expect(await faiss(AWAY, "migrate", "--apply")).toMatchObject({ code: 69, out: "" });
  });

  test("--apply writes every vector once, with what is known of it", async () => {
    const at = await service();
    dataset("good", 12);
    const { code, out } = await faiss(at, "migrate", "--apply", "--batch-size", "5");
    expect(code).toBe(0);
    expect(out).toContain("12 images and 12 embeddings added, 0 images and 0 embeddings were there already");
    expect(out).toContain("Kindred finds 1 (worst 1) in 12 queries");
    expect(at.batches).toEqual([5, 5, 2]);
    const stored = at.images.get("good/3.jpg");
    expect(stored?.description).toBe(textOf(3));
    const [embedding] = stored?.embeddings.values() ?? [];
    expect(embedding).toMatchObject({
      key: expect.stringMatching(/^faiss-[0-9a-f]{64}$/),
      embeddingType: "text",
      metadata: { faiss_dataset: "good", faiss_id: 3 },
      source: { case: "vector", value: { spaceId: SPACE.id } },
    });
    // Nothing is left behind once it is complete.
    expect(readdirSync(join(folder, "cache", "faiss"))).toEqual([]);

    expect(json(await faiss(at, "migrate", "--apply", "--json")).datasets[0]).toMatchObject({
      images_added: 0,
      images_existing: 12,
      embeddings_added: 0,
      embeddings_existing: 12,
    });
  });

  test("several vectors of an image are its embeddings; equal ones are one", async () => {
    const at = await service();
    dataset("twice", 4, {
      records: () => ["a", "b", "a", "a"].map((path, i) => ({ path, description: textOf(i) })),
      index: { vectors: [0, 1, 2, 0].map((i) => vectorOf(textOf(i))) },
    });
    const { code } = await faiss(at, "migrate", "--apply");
    expect(code).toBe(0);
    expect([...at.images.values()].map(({ imagePath, embeddings }) => [imagePath, embeddings.size])).toEqual([
      ["a", 2],
      ["b", 1],
    ]);
    const [, second] = at.images.get("a")?.embeddings.values() ?? [];
    expect(second?.metadata).toMatchObject({ description: textOf(2), faiss_id: 2 });
  });

  test("one that is broken is refused, and the others are migrated", async () => {
    const at = await service();
    dataset("a-short", 5, { records: (records) => records.slice(1) });
    dataset("b-good", 5);
    const hostile = dataset("c-hostile", 5);
    writeFileSync(join(hostile, "metadata.pkl"), "cposix\nsystem\n(Vtouch PWNED_BY_PICKLE\ntR.");
    const done = await faiss(at, "migrate", "--apply", "--json");
    expect(done.code).toBe(65);
    expect(json(done)).toMatchObject({
      datasets: [{ dataset: "b-good", images_added: 5, complete: true }],
      refused: [
        { dataset: "a-short", reason: expect.stringContaining("4 records") },
        { dataset: "c-hostile", reason: expect.stringContaining("names posix.system at byte 0") },
      ],
    });
    expect([...at.images.keys()].every((path) => path.startsWith("b-good/"))).toBe(true);
    expect(existsSync("PWNED_BY_PICKLE")).toBe(false);
  });

  describe("where vectors do not belong", () => {
    const nothing = async (at: FakeImageStore, ...args: string[]): Promise<string> => {
      const { code, out, err } = await faiss(at, "migrate", "--apply", ...args);
      expect({ code, out }).toEqual({ code: 65, out: "" });
      expect(at.batches).toEqual([]);
      return err;
    };

    test("other dimensions than the images", async () => {
      dataset("good", 3);
      expect(await nothing(await service({ dimensions: 384 }))).toContain(
        "The vectors have 3 dimensions, and those of the images 384.",
      );
    });

    test("other dimensions than the served model, and no name of a space", async () => {
      dataset("good", 3);
      const embedding = { info: () => ({ space: { ...SPACE, dimensions: 4 }, model: "other" }) };
      expect(await nothing(await service({ embedding }))).toMatch(/served model other 4.*\n.*--space <id>/);
    });

    test("another space than the images", async () => {
      dataset("good", 3);
      const at = await service({ spaceId: "local:other@1:3:mean:l2:8" });
      expect(await nothing(at)).toContain(
        `The images live in the space local:other@1:3:mean:l2:8, and the vectors in ${SPACE.id}`,
      );
      expect(await nothing(at, "--space", "x:y@1:3:mean:l2:8")).toContain("never mixed");
    });

    test("vectors that the served model did not make; unless they are vouched for", async () => {
      dataset("strange", 6, { index: { vectors: Array.from({ length: 6 }, (_, i) => [-1, -i, 1]) } });
      const at = await service();
      expect(await nothing(at)).toMatch(/do not seem to be those of fake.*\n.*--space/);
      expect(await faiss(at, "migrate", "--apply", "--space", SPACE.id)).toMatchObject({ code: 0 });
      expect(at.images.size).toBe(6);
    });
  });

  describe("interrupted", () => {
    test("after an error the same command goes on where it was", async () => {
      let fails = true;
      const at = await service({
        onBatch: (_batch, number) => {
          if (fails && number === 2) throw new KindredError("internal", "something broke");
        },
      });
      dataset("good", 12);
      const args = ["migrate", "--apply", "--batch-size", "3"];
      const broken = await faiss(at, ...args, "--json");
      expect(broken.code).toBe(1);
      expect(broken.err).toContain("6 of 12 vectors are stored");
      expect(json(broken).datasets[0]).toMatchObject({ complete: false, images_added: 6 });

      fails = false;
      const again = await faiss(at, ...args);
      expect(again).toMatchObject({ code: 0, err: expect.stringContaining("going on behind 6 vectors") });
      expect(again.out).toContain("6 images and 6 embeddings added");
      expect(at.batches).toEqual([3, 3, 3, 3]);
      expect(at.images.size).toBe(12);
    });

    test("what an earlier run wrote may be gone: then it starts anew", async () => {
      let fails = true;
      const at = await service({
        onBatch: (_batch, number) => {
          if (fails && number === 2) throw new KindredError("internal", "something broke");
        },
      });
      dataset("good", 12);
      await faiss(at, "migrate", "--apply", "--batch-size", "3");
      at.images.clear();
      fails = false;
      const again = await faiss(at, "migrate", "--apply", "--batch-size", "3");
      expect(again).toMatchObject({
        code: 0,
        err: expect.stringContaining("starting with the first vector"),
      });
      expect(at.images.size).toBe(12);
    });

    test("other files, and other spaces, start anew", async () => {
      let fails = true;
      const at = await service({
        onBatch: (_batch, number) => {
          if (fails && number === 1) throw new KindredError("internal", "something broke");
        },
      });
      dataset("good", 12);
      await faiss(at, "migrate", "--apply", "--batch-size", "3");
      fails = false;
      dataset("good", 14);
      const again = await faiss(at, "migrate", "--apply");
      expect(again.err).toContain("is not used: the files have changed since");
      expect(at.images.size).toBe(14);
    });

    test("a service that is away for a moment is waited for", async () => {
      let refusals = 2;
      const at = await service({
        onBatch: () => {
          if (refusals-- > 0) throw new KindredError("unavailable", "restarting");
        },
      });
      dataset("good", 4);
      expect(await faiss(at, "migrate", "--apply")).toMatchObject({
        code: 0,
        err: expect.stringMatching(/waiting up to 120 s.*restarting[\s\S]*the service is back/),
      });
      expect(at.images.size).toBe(4);
    });

    test("an image that the store refuses is named by its path", async () => {
      const at = await service({
        onBatch: () => {
          const field = "images[2].image.description";
          throw new KindredError("invalid-argument", `${field} is odd`, {
            violations: [{ field, description: "is odd" }],
          });
        },
      });
      dataset("good", 6, { records: (records) => [records[0] ?? null, ...records.slice(0, 5)] });
      expect(await faiss(at, "migrate", "--apply", "--space", SPACE.id)).toMatchObject({
        code: 1,
        err: expect.stringContaining(
          "good: The store refuses good/2.jpg: description is odd; 0 of 6 vectors are stored.",
        ),
      });
    });

    test("one that stays away ends it, and says how far it got", async () => {
      const at = await service({
        onBatch: (_batch, number) => {
          if (number >= 1) throw new KindredError("unavailable", "gone");
        },
      });
      dataset("good", 9);
      expect(await faiss(at, "migrate", "--apply", "--batch-size", "3", "--patience", "0")).toMatchObject({
        code: 69,
        err: expect.stringMatching(/good: gone; 3 of 9 vectors are stored.\n.*Run the same command again/),
      });
    });
  });
});
