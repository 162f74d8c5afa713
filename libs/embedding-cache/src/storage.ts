import type { FileHandle } from "node:fs/promises";
import { KindredError, messageOf, type ErrorKind } from "@kindred/errors";

const KIND_OF_CODE: Readonly<Record<string, readonly [ErrorKind, string]>> = {
  ENOSPC: ["resource-exhausted", "the disk is full: free some space and run it again"],
  EDQUOT: ["resource-exhausted", "the disk quota is used up: free some space and run it again"],
  EFBIG: ["resource-exhausted", "a file became as large as it may be here: raise the limit (ulimit -f)"],
  EMFILE: ["resource-exhausted", "too many files are open: raise the limit (ulimit -n)"],
  ENFILE: ["resource-exhausted", "too many files are open on this machine"],
  EACCES: ["failed-precondition", "this user is not allowed to"],
  EPERM: ["failed-precondition", "this user is not allowed to"],
  EROFS: ["failed-precondition", "it lies on a file system that is mounted read-only"],
  ENOTDIR: ["failed-precondition", "something on the way to it is no folder"],
  EEXIST: ["failed-precondition", "something else is there that is no folder"],
  ENOENT: ["not-found", "there is no such file or folder"],
  EIO: ["data-loss", "the disk reports an error: look at the machine before you run it again"],
};

/** What the file system says, as a KindredError; errors that are none of its pass as they are. */
export function storageError(error: unknown, doing: string): unknown {
  const code = Error.isError(error) ? (error as NodeJS.ErrnoException).code : undefined;
  const known = code === undefined ? undefined : KIND_OF_CODE[code];
  if (!known) return error;
  const [kind, meaning] = known;
  return new KindredError(kind, `cannot ${doing}: ${meaning} (${messageOf(error)})`, { cause: error });
}

/** Runs what touches the disk. @param doing what fails, e.g. "write songs/embeddings" */
export async function onDisk<T>(doing: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw storageError(error, doing);
  }
}

/** All of the buffers, one behind the other. */
export async function writeFully(
  handle: FileHandle,
  buffers: readonly Uint8Array[],
  position: number,
): Promise<void> {
  let rest = buffers.filter((buffer) => buffer.length > 0);
  let at = position;
  while (rest.length > 0) {
    let { bytesWritten } = await handle.writev(rest, at);
    // The next call of a disk that took nothing says why; this one only that it took less.
    at += bytesWritten;
    const left: Uint8Array[] = [];
    for (const buffer of rest) {
      const taken = Math.min(bytesWritten, buffer.length);
      bytesWritten -= taken;
      if (taken < buffer.length) left.push(buffer.subarray(taken));
    }
    rest = left;
  }
}

/** @returns how many bytes there were: fewer than asked for only at the end of the file */
export async function readFully(handle: FileHandle, into: Uint8Array, position: number): Promise<number> {
  let done = 0;
  while (done < into.length) {
    const { bytesRead } = await handle.read(into, done, into.length - done, position + done);
    if (bytesRead === 0) break;
    done += bytesRead;
  }
  return done;
}
