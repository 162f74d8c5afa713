import { readFile } from "node:fs/promises";
import { messageOf } from "@kindred/errors";
import { EXIT } from "../exit-codes.ts";
import { Failure } from "../failure.ts";
import { unreadable } from "../file-error.ts";

export interface CocoPicture {
  fileName: string;
  width: number | undefined;
  height: number | undefined;
  /** By ascending annotation id. */
  captions: { id: number; text: string }[];
}

const EXPECTED =
  "expected COCO's captions format: images with id and file_name, annotations with id, image_id and caption";
/** The contract's limit of an image_path, less the folder that is put before the name. */
const MAX_NAME = 450;

/**
 * The pictures of a COCO captions file, by ascending image id, each with its captions. The whole file is checked before anything is
 * returned.
 * @throws Failure in one line when the file cannot be read or is not what it should be.
 */
export async function readCocoFile(path: string): Promise<CocoPicture[]> {
  let text: string;
  try {
    text = await readFile(path, "utf8");
  } catch (error) {
    throw unreadable(path, error);
  }
  let content: unknown;
  try {
    content = JSON.parse(text);
  } catch (error) {
    throw new Failure(`${path} is not JSON (${messageOf(error)}).`, { exitCode: EXIT.data, cause: error });
  }
  try {
    return parseCoco(content);
  } catch (error) {
    if (!(error instanceof NotCoco)) throw error;
    throw new Failure(`${path} is not a COCO captions file: ${error.message}.`, {
      exitCode: EXIT.data,
      remedy: `Nothing was written; ${EXPECTED}.`,
    });
  }
}

/** The message completes "… is not a COCO captions file:". */
export class NotCoco extends Error {}

/** @throws NotCoco */
export function parseCoco(content: unknown): CocoPicture[] {
  const file = record(content, "the top level");
  const images = list(file, "images");
  const annotations = list(file, "annotations");
  const pictures = new Map<number, CocoPicture>();
  const names = new Set<string>();
  for (const [i, entry] of images.entries()) {
    const where = `images[${i}]`;
    const image = record(entry, where);
    const id = integer(image, "id", where);
    const fileName = image["file_name"];
    if (typeof fileName !== "string" || fileName === "" || fileName.length > MAX_NAME)
      throw new NotCoco(`${where}.file_name is ${shown(fileName)}`);
    if (pictures.has(id)) throw new NotCoco(`${where}.id ${id} is there twice`);
    if (names.has(fileName)) throw new NotCoco(`${where}.file_name ${shown(fileName)} is there twice`);
    names.add(fileName);
    const picture = { fileName, width: size(image, "width", where), height: size(image, "height", where) };
    pictures.set(id, { ...picture, captions: [] });
  }
  if (pictures.size === 0) throw new NotCoco("it has no images");
  collectCaptions(annotations, pictures);
  return [...pictures].toSorted(([a], [b]) => a - b).map(([, picture]) => picture);
}

function collectCaptions(annotations: readonly unknown[], pictures: ReadonlyMap<number, CocoPicture>): void {
  const seen = new Set<number>();
  for (const [i, entry] of annotations.entries()) {
    const where = `annotations[${i}]`;
    const annotation = record(entry, where);
    const id = integer(annotation, "id", where);
    const imageId = integer(annotation, "image_id", where);
    const text = annotation["caption"];
    if (text === undefined)
      throw new NotCoco(`${where} has no caption (is it an instances or keypoints file?)`);
    if (typeof text !== "string" || text.trim() === "")
      throw new NotCoco(`${where}.caption is ${shown(text)}`);
    if (seen.has(id)) throw new NotCoco(`${where}.id ${id} is there twice`);
    seen.add(id);
    const picture = pictures.get(imageId);
    if (!picture) throw new NotCoco(`${where}.image_id ${imageId} is none of the images`);
    picture.captions.push({ id, text });
  }
  for (const picture of pictures.values()) picture.captions.sort((a, b) => a.id - b.id);
}

function record(value: unknown, where: string): Record<string, unknown> {
  if (typeof value !== "object" || value === null || Array.isArray(value))
    throw new NotCoco(`${where} is ${shown(value)}, not an object`);
  return value as Record<string, unknown>;
}

function list(file: Record<string, unknown>, name: string): readonly unknown[] {
  const value = file[name];
  if (value === undefined) throw new NotCoco(`it has no "${name}"`);
  if (!Array.isArray(value)) throw new NotCoco(`"${name}" is not a list`);
  return value;
}

function integer(entry: Record<string, unknown>, name: string, where: string): number {
  const value = entry[name];
  if (!Number.isSafeInteger(value)) throw new NotCoco(`${where}.${name} is ${shown(value)}, not an integer`);
  return value as number;
}

/** COCO files of other makers may leave sizes out. */
function size(image: Record<string, unknown>, name: string, where: string): number | undefined {
  const value = image[name];
  if (value === undefined || value === null) return undefined;
  if (!Number.isInteger(value) || (value as number) < 1 || (value as number) > 2 ** 31 - 1)
    throw new NotCoco(`${where}.${name} is ${shown(value)}, not a number of pixels`);
  return value as number;
}

function shown(value: unknown): string {
  const text = value === undefined ? "missing" : JSON.stringify(value);
  return text.length > 40 ? `${text.slice(0, 37)}...` : text;
}
