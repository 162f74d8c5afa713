import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterEach, beforeEach, expect, test } from "@jest/globals";
import { picturesBelow, type FoundPicture, type SkippedFile } from "./picture-folder.ts";

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "kindred-pictures-"));
});
afterEach(() => rmSync(folder, { recursive: true }));

function files(contents: Readonly<Record<string, string | Uint8Array>>): void {
  for (const [name, content] of Object.entries(contents)) {
    mkdirSync(dirname(join(folder, name)), { recursive: true });
    writeFileSync(join(folder, name), content);
  }
}

async function found(): Promise<(FoundPicture | SkippedFile)[]> {
  return await Array.fromAsync(picturesBelow(folder));
}

const captionsOf = async (): Promise<Record<string, readonly string[] | string>> =>
  Object.fromEntries(
    (await found()).map((each) => [each.name, "reason" in each ? each.reason : each.captions]),
  );

test("pictures in the order of their names, folders behind the files, hidden ones left out", async () => {
  files({ "b.png": "", "a.JPG": "", "z/c.webp": "", "B/d.gif": "", ".hidden.png": "", ".git/e.png": "" });
  expect((await found()).map(({ name }) => name)).toEqual(["a.JPG", "b.png", "B/d.gif", "z/c.webp"]);
});

test("captions of every kind of file beside a picture, each once", async () => {
  files({
    "a.jpg": "",
    "a.txt": "One.\r\n\r\n  Two. \n",
    "b.jpg": "",
    "b.jpg.txt": "One.",
    "c.jpg": "",
    "c.json": '{"caption": "One.", "url": "x", "tags": ["t", " u "]}',
    "c.txt": "One.\nTwo.",
    "d.jpg": "",
    "d.jpg.json": '{"title": "x", "description": "One."}',
    "e.jpg": "",
    "e.json": '{"captions": ["One.", "Two."], "description": "no caption"}',
    "f.jpg": "",
  });
  expect(await captionsOf()).toEqual({
    "a.jpg": ["One.", "Two."],
    "b.jpg": ["One."],
    "c.jpg": ["One.", "Two."],
    "d.jpg": ["One."],
    "e.jpg": ["One.", "Two."],
    "f.jpg": [],
  });
  expect((await found()).find(({ name }) => name === "c.jpg")).toMatchObject({ tags: ["t", "u"] });
});

test("what is skipped has a reason", async () => {
  files({
    "a.jpg": "",
    "a.json": "{",
    "b.jpg": "",
    "b.json": "[]",
    "c.jpg": "",
    "c.json": '{"caption": 1}',
    "d.jpg": "",
    "d.txt": new Uint8Array([0xff, 0xfe, 0x41]),
    "e.jpg": "",
    "e.txt": "x".repeat(2 ** 20 + 1),
    "lonely.txt": "One.",
    "notes.md": "",
    Makefile: "",
  });
  symlinkSync(join(folder, "nowhere"), join(folder, "link.png"));
  expect(await captionsOf()).toEqual({
    Makefile: "its name has no extension",
    "a.jpg": "a.json: it is no JSON",
    "b.jpg": 'b.json: it is no JSON object such as {"caption": "A cat."}',
    "c.jpg": 'c.json: "caption" has to be a text, or a list of texts',
    "d.jpg": "d.txt: it is not UTF-8",
    "e.jpg": expect.stringMatching(/^e\.txt: it has 1048577 bytes/),
    "link.png": expect.stringMatching(/^it cannot be read: ENOENT/),
    "lonely.txt": "there is no picture beside it",
    "notes.md": ".md is no picture's extension",
  });
});

test("links to folders are not followed: they may lead in a circle", async () => {
  files({ "a/b.png": "" });
  symlinkSync(folder, join(folder, "a", "up"));
  expect(await captionsOf()).toEqual({ "a/b.png": [], "a/up": "its name has no extension" });
});
