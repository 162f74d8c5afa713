import { opendir, readFile, stat } from "node:fs/promises";
import { basename, extname, join } from "node:path";
import { messageOf } from "@kindred/errors";
import { captionsInJson, captionsInText, type Sidecar } from "./sidecar.ts";

/** A picture below a folder, with what was written about it beside it. */
export interface FoundPicture {
  /** Relative to the folder, with slashes. */
  name: string;
  path: string;
  captions: readonly string[];
  tags: readonly string[];
}

/** A file that is not imported, and why. */
export interface SkippedFile {
  name: string;
  reason: string;
}

/** What sharp reads. */
const PICTURES = new Set([
  ".jpg",
  ".jpeg",
  ".png",
  ".webp",
  ".gif",
  ".tif",
  ".tiff",
  ".avif",
  ".heic",
  ".heif",
  ".svg",
]);
const SIDECARS = new Set([".txt", ".json"]);
/** A caption of more is none; the contract's limit of a text. */
const MAX_SIDECAR_BYTES = 2 ** 20;

/**
 * The files below a folder, in the order of their names; folders and files whose names begin with a dot are left out without a word,
 * and links to folders are not followed. The names of one folder are in memory.
 * @throws Error of the system when a folder cannot be read
 */
export async function* picturesBelow(
  folder: string,
  within = "",
): AsyncGenerator<FoundPicture | SkippedFile> {
  const files: string[] = [];
  const folders: string[] = [];
  for await (const entry of await opendir(join(folder, within))) {
    if (entry.name.startsWith(".")) continue;
    if (entry.isDirectory()) folders.push(entry.name);
    else files.push(entry.name);
  }
  files.sort();
  const names = new Set(files);
  const used = new Set<string>();
  for (const file of files) {
    if (!PICTURES.has(extname(file).toLowerCase())) continue;
    for (const sidecar of sidecarsOf(file)) if (names.has(sidecar)) used.add(sidecar);
  }
  for (const file of files) {
    const name = `${within}${file}`;
    const extension = extname(file).toLowerCase();
    if (used.has(file)) continue;
    if (PICTURES.has(extension)) yield await pictureOf(folder, within, file, names);
    else yield { name, reason: whyNot(extension) };
  }
  for (const inner of folders.toSorted()) yield* picturesBelow(folder, `${within}${inner}/`);
}

function whyNot(extension: string): string {
  if (SIDECARS.has(extension)) return "there is no picture beside it";
  return extension === "" ? "its name has no extension" : `${extension} is no picture's extension`;
}

/** cat.jpg: cat.json, cat.jpg.json, cat.txt, cat.jpg.txt. */
function sidecarsOf(file: string): string[] {
  const stem = basename(file, extname(file));
  return [...SIDECARS].toReversed().flatMap((extension) => [`${stem}${extension}`, `${file}${extension}`]);
}

async function pictureOf(
  folder: string,
  within: string,
  file: string,
  names: ReadonlySet<string>,
): Promise<FoundPicture | SkippedFile> {
  const name = `${within}${file}`;
  const path = join(folder, within, file);
  // Of a link, what it leads to.
  const found = await stat(path).catch((error: unknown) => messageOf(error));
  if (typeof found === "string") return { name, reason: `it cannot be read: ${found}` };
  if (!found.isFile()) return { name, reason: "it is no file" };
  const captions = new Set<string>();
  const tags = new Set<string>();
  for (const sidecar of sidecarsOf(file).filter((each) => names.has(each))) {
    try {
      const read = await readSidecar(join(folder, within, sidecar));
      for (const caption of read.captions) captions.add(caption);
      for (const tag of read.tags) tags.add(tag);
    } catch (error) {
      return { name, reason: `${sidecar}: ${messageOf(error)}` };
    }
  }
  return { name, path, captions: [...captions], tags: [...tags] };
}

async function readSidecar(path: string): Promise<Sidecar> {
  const { size } = await stat(path);
  if (size > MAX_SIDECAR_BYTES)
    throw new Error(`it has ${size} bytes, more than a caption's ${MAX_SIDECAR_BYTES}`);
  const bytes = await readFile(path);
  let text: string;
  try {
    text = new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch (error) {
    throw new Error("it is not UTF-8", { cause: error });
  }
  return extname(path).toLowerCase() === ".json" ? captionsInJson(text) : captionsInText(text);
}
