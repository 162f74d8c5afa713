import { createHash } from "node:crypto";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import sharp from "sharp";
import { pictures, writeGallery } from "./index.ts";
import { drawPng, readChunks, shows } from "./png.ts";

const FIRST = pictures[0] as (typeof pictures)[number];

describe("the list of pictures", () => {
  test("covers many subjects, several pictures each", () => {
    expect(pictures.length).toBeGreaterThanOrEqual(120);
    const perCategory = Map.groupBy(pictures, (p) => p.category);
    for (const category of ["pets", "wildlife", "vehicles", "weather", "rooms", "food", "sport", "people"]) {
      expect(perCategory.get(category)?.length).toBeGreaterThanOrEqual(8);
    }
  });

  test("paths are unique, safe and at most 500 characters", () => {
    expect(new Set(pictures.map((p) => p.path)).size).toBe(pictures.length);
    for (const { path, category } of pictures) {
      expect(path).toMatch(/^gallery\/[a-z]+\/[a-z0-9]+(-[a-z0-9]+)*\.png$/);
      expect(path.split("/")[1]).toBe(category);
      expect(path.length).toBeLessThanOrEqual(500);
    }
  });

  test("captions are different sentences, in words of their own", () => {
    const captions = pictures.map((p) => p.caption);
    expect(new Set(captions.map((c) => c.toLowerCase())).size).toBe(captions.length);
    for (const caption of captions) expect(caption).toMatch(/^[A-Z][^.!?]{20,140}\.$/);
    const words = new Set(captions.flatMap((c) => c.toLowerCase().match(/[\p{L}-]+/gu) ?? []));
    expect(words.size).toBeGreaterThan(600);
  });

  test("tags begin with the category and are not repeated", () => {
    for (const { tags, category } of pictures) {
      expect(tags[0]).toBe(category);
      expect(tags.length).toBeGreaterThanOrEqual(3);
      expect(new Set(tags).size).toBe(tags.length);
    }
  });
});

describe("writeGallery", () => {
  let root: string;
  const file = (path: string): string => join(root, path);
  const digests = (): Map<string, string> =>
    new Map(
      pictures.map((p) => [
        p.path,
        createHash("sha256")
          .update(readFileSync(file(p.path)))
          .digest("hex"),
      ]),
    );
  beforeAll(async () => {
    root = mkdtempSync(join(tmpdir(), "kindred-gallery-"));
    await writeGallery(root);
  }, 120_000);
  afterAll(() => rmSync(root, { recursive: true }));

  test("every picture is a PNG of the stated size that decodes to more than one colour", async () => {
    for (const picture of pictures) {
      const image = sharp(file(picture.path), { failOn: "warning" });
      expect(await image.metadata()).toMatchObject({
        format: "png",
        width: picture.width,
        height: picture.height,
      });
      const { entropy } = await image.stats();
      expect(entropy).toBeGreaterThan(1);
    }
  }, 120_000);

  test("no two pictures are the same", () => {
    expect(new Set(digests().values()).size).toBe(pictures.length);
  });

  test("leaves nothing else behind", () => {
    const found = readdirSync(root, { recursive: true, withFileTypes: true }).filter((e) => e.isFile());
    expect(found).toHaveLength(pictures.length);
  });

  test("drawing again in another place gives the same bytes", async () => {
    const before = digests();
    const other = mkdtempSync(join(tmpdir(), "kindred-gallery-"));
    try {
      await writeGallery(other);
      for (const { path } of pictures) {
        const digest = createHash("sha256")
          .update(readFileSync(join(other, path)))
          .digest("hex");
        expect([path, digest]).toEqual([path, before.get(path)]);
      }
    } finally {
      rmSync(other, { recursive: true });
    }
  }, 120_000);

  test("whole pictures are left alone; torn, altered, outdated and missing ones are drawn anew", async () => {
    const before = digests();
    const [torn, altered, outdated, empty, missing, kept] = pictures.slice(3, 9).map((p) => file(p.path)) as [
      string,
      string,
      string,
      string,
      string,
      string,
    ];
    const bytes = readFileSync(torn);
    writeFileSync(torn, bytes.subarray(0, bytes.length - 100));
    const flipped = readFileSync(altered);
    flipped[flipped.length >> 1] = (flipped[flipped.length >> 1] as number) ^ 0xff;
    writeFileSync(altered, flipped);
    writeFileSync(
      outdated,
      await drawPng('<svg xmlns="http://www.w3.org/2000/svg" width="480" height="360"/>'),
    );
    writeFileSync(empty, "");
    rmSync(missing);
    const { mtimeMs } = statSync(kept);

    const steps: [number, number][] = [];
    await writeGallery(root, { onProgress: (done, total) => steps.push([done, total]) });

    expect(digests()).toEqual(before);
    expect(statSync(kept).mtimeMs).toBe(mtimeMs);
    expect(steps).toEqual(pictures.map((_, i) => [i + 1, pictures.length]));
  });

  test("says so when a picture cannot be written, and leaves no half of one", async () => {
    const blocked = mkdtempSync(join(tmpdir(), "kindred-gallery-"));
    try {
      mkdirSync(join(blocked, FIRST.path), { recursive: true });
      await expect(writeGallery(blocked)).rejects.toMatchObject({ code: "EISDIR" });
    } finally {
      rmSync(blocked, { recursive: true });
    }
  });
});

describe("png", () => {
  const svg =
    '<svg xmlns="http://www.w3.org/2000/svg" width="8" height="8"><rect width="8" height="8"/></svg>';

  test("a file shows the drawing that it was made from and no other", async () => {
    const file = await drawPng(svg);
    expect(shows(file, svg)).toBe(true);
    expect(shows(file, svg.replaceAll("8", "9"))).toBe(false);
    expect(readChunks(file)?.map((c) => c.type)).toEqual(
      expect.arrayContaining(["IHDR", "IDAT", "tEXt", "IEND"]),
    );
  });

  test("any missing or added byte is noticed", async () => {
    const file = await drawPng(svg);
    for (let length = 0; length < file.length; length++)
      expect(readChunks(file.subarray(0, length))).toBeUndefined();
    expect(readChunks(Buffer.concat([file, Buffer.from([0])]))).toBeUndefined();
  });
});
