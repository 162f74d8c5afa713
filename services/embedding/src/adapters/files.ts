import { createHash, randomBytes } from "node:crypto";
import { createReadStream } from "node:fs";
import { open, readdir, rename, rm, stat } from "node:fs/promises";
import { dirname, join } from "node:path";
import { syncFolder } from "@kindred/process";
import type { ByteSource } from "../domain/compiler/safetensors.ts";

export function isMissing(error: unknown): boolean {
  const code = (error as NodeJS.ErrnoException | undefined)?.code;
  return code === "ENOENT" || code === "ENOTDIR";
}

/** Size of a file in bytes, or undefined where there is none. */
export async function fileSize(path: string): Promise<number | undefined> {
  try {
    const found = await stat(path);
    return found.isFile() ? found.size : undefined;
  } catch (error) {
    if (isMissing(error)) return undefined;
    throw error;
  }
}

/** SHA-256 of a file, hexadecimal; `onBytes` hears how many bytes have been read so far. */
export async function sha256OfFile(path: string, onBytes?: (done: number) => void): Promise<string> {
  const hash = createHash("sha256");
  let done = 0;
  for await (const chunk of createReadStream(path, { highWaterMark: 1 << 20 })) {
    hash.update(chunk as Buffer);
    done += (chunk as Buffer).length;
    onBytes?.(done);
  }
  return hash.digest("hex");
}

/** A name beside `path` that no other process takes. What crashes leave under it is never read. */
export function temporaryName(path: string): string {
  return `${path}.tmp-${process.pid}-${randomBytes(4).toString("hex")}`;
}

/** What nobody has written to for this long belongs to a process that was killed. */
export const ABANDONED_MS = 5 * 60_000;

/** When a file, or anything in a folder, was last written; milliseconds since 1970. */
async function lastWritten(path: string): Promise<number> {
  const found = await stat(path);
  if (!found.isDirectory()) return found.mtimeMs;
  const inside = await readdir(path, { recursive: true });
  const times = await Promise.all(inside.map(async (name) => (await stat(join(path, name))).mtimeMs));
  return Math.max(found.mtimeMs, ...times);
}

/** Removes the entries of a folder that `isTemporary` knows as temporary and that nobody writes to any more. */
export async function removeAbandoned(folder: string, isTemporary: (name: string) => boolean): Promise<void> {
  const names = await readdir(folder).catch((error: unknown) => {
    if (isMissing(error)) return [];
    throw error;
  });
  for (const path of names.filter(isTemporary).map((name) => join(folder, name))) {
    try {
      if (Date.now() - (await lastWritten(path)) < ABANDONED_MS) continue;
      await rm(path, { recursive: true, force: true });
    } catch (error) {
      // Its owner is alive and has just moved or removed something.
      if (!isMissing(error)) throw error;
    }
  }
}

/** Renames a finished file or folder to its place, so that readers see all of it or nothing, also after a crash. */
export async function publish(temporary: string, path: string): Promise<void> {
  await rename(temporary, path);
  // Windows cannot open folders; its rename needs no such help.
  if (process.platform !== "win32") await syncFolder(dirname(path));
}

/** A file as a byte source. The caller disposes of it. */
export async function openByteSource(path: string): Promise<ByteSource & AsyncDisposable> {
  const file = await open(path, "r");
  const { size } = await file.stat();
  return {
    size,
    read: async (offset, length) => {
      const bytes = new Uint8Array(length);
      let done = 0;
      while (done < length) {
        const { bytesRead } = await file.read(bytes, done, length - done, offset + done);
        if (bytesRead === 0)
          throw new RangeError(`${path} ends at byte ${offset + done} of ${offset + length}`);
        done += bytesRead;
      }
      return bytes;
    },
    [Symbol.asyncDispose]: () => file.close(),
  };
}
