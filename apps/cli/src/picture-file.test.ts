import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "@jest/globals";
import sharp from "sharp";
import { copyBelow, copyToMedia, pictureFacts, readPicture } from "./picture-file.ts";

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "kindred-picture-"));
});
afterEach(() => rmSync(folder, { recursive: true }));

async function draw(name: string, orientation?: number): Promise<string> {
  const picture = sharp({ create: { width: 30, height: 20, channels: 3, background: "red" } });
  const path = join(folder, name);
  await (orientation === undefined ? picture : picture.withMetadata({ orientation })).toFile(path);
  return path;
}

test("size, format and bytes of a picture", async () => {
  const path = await draw("a.png");
  expect(await readPicture(path)).toMatchObject({
    file: path,
    width: 30,
    height: 20,
    format: "png",
    bytes: readFileSync(path).length,
  });
});

test("a picture that lies on its side is measured as it is seen", async () => {
  expect(await readPicture(await draw("a.jpg", 6))).toMatchObject({ width: 20, height: 30, format: "jpg" });
});

test("what is no picture is refused in one line", async () => {
  const path = join(folder, "a.txt");
  writeFileSync(path, "not a picture");
  await expect(readPicture(path)).rejects.toMatchObject({ name: "Failure", exitCode: 65 });
  await expect(readPicture(join(folder, "none.png"))).rejects.toThrow(
    "none.png cannot be read: there is no such file.",
  );
});

test("a copy is named by its content: made once, and taken back only when it was new", async () => {
  const media = join(folder, "media");
  const picture = await readPicture(await draw("my cat & dog.png"));
  const first = await copyToMedia(picture, media);
  expect(first.imagePath).toMatch(/^added\/[0-9a-f]{12}-my-cat-dog\.png$/);
  const copy = join(media, first.imagePath);
  expect(readFileSync(copy)).toEqual(picture.content);

  const second = await copyToMedia(picture, media);
  expect(second.imagePath).toBe(first.imagePath);
  await second.undo();
  expect(existsSync(copy)).toBe(true);
  await first.undo();
  expect(readdirSync(join(media, "added"))).toEqual([]);
});

test("facts of a picture are those that reading it gives, without its content", async () => {
  const path = await draw("a.jpg", 6);
  const { file: _file, content: _content, ...facts } = await readPicture(path);
  expect(await pictureFacts(path)).toEqual(facts);
  writeFileSync(path, "not a picture");
  await expect(pictureFacts(path)).rejects.toThrow(/unsupported image format/);
});

test("a copy to a place of its own is made once, and never over another picture", async () => {
  const path = await draw("a.png");
  const media = join(folder, "media");
  const picture = { path, ...(await pictureFacts(path)) };
  await copyBelow(picture, "photos/x/a.png", media);
  expect(readFileSync(join(media, "photos/x/a.png"))).toEqual(readFileSync(path));
  await copyBelow(picture, "photos/x/a.png", media);
  writeFileSync(join(media, "photos/x/a.png"), "another");
  await expect(copyBelow(picture, "photos/x/a.png", media)).rejects.toThrow(
    "another picture is at photos/x/a.png already",
  );
  await expect(copyBelow({ path: join(folder, "none"), bytes: 1 }, "b.png", media)).rejects.toThrow(/ENOENT/);
  expect(readdirSync(media)).toEqual(["photos"]);
});
