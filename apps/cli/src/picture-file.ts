import { createHash } from "node:crypto";
import { copyFile, mkdir, readFile, rename, rm, stat, writeFile } from "node:fs/promises";
import { basename, dirname, join, resolve } from "node:path";
import { messageOf } from "@kindred/errors";
import sharp from "sharp";
import { EXIT } from "./exit-codes.ts";
import { Failure } from "./failure.ts";

export interface PictureFile {
  /** Absolute path. */
  file: string;
  /** As it is seen: turned by its EXIF orientation. */
  width: number;
  height: number;
  /** Size of the file. */
  bytes: number;
  /** E.g. "png", "jpg". */
  format: string;
  content: Buffer;
}

/** @throws Failure in one line when there is no such file, or none that is a picture. */
export async function readPicture(path: string): Promise<PictureFile> {
  const file = resolve(path);
  let content: Buffer;
  try {
    content = await readFile(file);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    const reason = code === "ENOENT" ? "there is no such file" : messageOf(error);
    throw new Failure(`${path} cannot be read: ${reason}.`, { exitCode: EXIT.data, cause: error });
  }
  try {
    return { file, ...(await shapeOf(content)), bytes: content.length, content };
  } catch (error) {
    throw new Failure(`${path} is not a picture that can be read (${messageOf(error)}).`, {
      exitCode: EXIT.data,
      cause: error,
    });
  }
}

/** What the header of a picture's file says, without its content. @throws Error when it is no picture that can be read */
export async function pictureFacts(path: string): Promise<Omit<PictureFile, "file" | "content">> {
  const { size } = await stat(path);
  return { ...(await shapeOf(path)), bytes: size };
}

async function shapeOf(input: string | Buffer): Promise<Pick<PictureFile, "width" | "height" | "format">> {
  const { width, height, format, autoOrient } = await sharp(input).metadata();
  return {
    width: autoOrient.width ?? width,
    height: autoOrient.height ?? height,
    format: format === "jpeg" ? "jpg" : format,
  };
}

/** A copy below the folder that the origin serves. */
export interface MediaCopy {
  /** Relative to that folder, with slashes. */
  imagePath: string;
  /** Removes the copy, unless it was there before. */
  undo: () => Promise<void>;
}

const FOLDER = "added";
const MAX_NAME = 100;

/** Copies the picture to a name that follows from its content, so that adding it again makes no second copy. */
export async function copyToMedia(picture: PictureFile, mediaRoot: string): Promise<MediaCopy> {
  const digest = createHash("sha256").update(picture.content).digest("hex").slice(0, 12);
  const name = basename(picture.file)
    .replace(/[^\p{L}\p{N}._-]+/gu, "-")
    .slice(-MAX_NAME);
  const imagePath = `${FOLDER}/${digest}-${name}`;
  const target = join(mediaRoot, FOLDER, `${digest}-${name}`);
  if (await exists(target)) return { imagePath, undo: async () => {} };
  await mkdir(join(mediaRoot, FOLDER), { recursive: true });
  const aside = `${target}.${process.pid}`;
  try {
    await writeFile(aside, picture.content);
    await rename(aside, target);
  } catch (error) {
    await rm(aside, { force: true });
    throw error;
  }
  return { imagePath, undo: () => rm(target, { force: true }) };
}

/**
 * Copies a picture to where its path says, unless it is there.
 * @throws Error when another one is there: of another size
 */
export async function copyBelow(
  picture: { path: string; bytes: number },
  imagePath: string,
  mediaRoot: string,
): Promise<void> {
  const target = join(mediaRoot, imagePath);
  const there = await stat(target).catch(() => undefined);
  if (there?.size === picture.bytes) return;
  if (there) throw new Error(`another picture is at ${imagePath} already`);
  await mkdir(dirname(target), { recursive: true });
  const aside = `${target}.${process.pid}`;
  try {
    await copyFile(picture.path, aside);
    await rename(aside, target);
  } catch (error) {
    await rm(aside, { force: true });
    throw error;
  }
}

async function exists(path: string): Promise<boolean> {
  try {
    await stat(path);
    return true;
  } catch {
    return false;
  }
}
