import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { stat } from "node:fs/promises";
import { isAbsolute, join, relative, resolve, sep } from "node:path";
import type { OutputFile } from "@kindred/contracts/generation-tracking/v1";
import { systemCodeOf } from "../system-error.ts";

/** What was found where an output should be. Bytes are those that were read. */
export type Finding =
  | { state: "kept"; sizeBytes: bigint; sha256: Uint8Array; bytes: number }
  | { state: "changed" | "missing"; bytes: number }
  /** It is there, and this process may not, or cannot, read it. */
  | { state: "unreadable"; reason: string; bytes: number }
  /** Its path leads out of the folder, or names no file of a file system: nobody looked. */
  | { state: "elsewhere"; bytes: number };

/** A file is read in parts of so many bytes. */
const PART_BYTES = 2 ** 18;

/**
 * Where an output is: relative paths count from the root.
 * @returns undefined for paths that lead out of the root, and for URLs
 */
export function pathBelow(root: string, path: string): string | undefined {
  if (/^[a-z][a-z\d+.-]*:\/\//i.test(path)) return undefined;
  const absolute = isAbsolute(path) ? resolve(path) : join(root, path);
  const inside = relative(root, absolute);
  return inside === "" || inside === ".." || inside.startsWith(`..${sep}`) || isAbsolute(inside)
    ? undefined
    : absolute;
}

/**
 * Looks whether an output is there as it was: by its size first, which costs nothing, then by the SHA-256 of its bytes, which are read as a
 * stream. A file of which neither is known is kept if it is there.
 * @param root an absolute path
 * @throws only what aborting the signal throws
 */
export async function lookAtOutput(
  root: string,
  output: Pick<OutputFile, "path" | "sizeBytes" | "sha256">,
  signal: AbortSignal,
): Promise<Finding> {
  const path = pathBelow(root, output.path);
  if (path === undefined) return { state: "elsewhere", bytes: 0 };
  try {
    const found = await stat(path, { bigint: true });
    if (!found.isFile()) return { state: "missing", bytes: 0 };
    if (output.sizeBytes !== undefined && found.size !== output.sizeBytes) {
      return { state: "changed", bytes: 0 };
    }
    const hash = createHash("sha256");
    let bytes = 0;
    for await (const part of createReadStream(path, { highWaterMark: PART_BYTES, signal })) {
      hash.update(part as Buffer);
      bytes += (part as Buffer).length;
    }
    const sha256 = new Uint8Array(hash.digest());
    const sizeBytes = BigInt(bytes);
    const same =
      (output.sizeBytes === undefined || sizeBytes === output.sizeBytes) &&
      (output.sha256.length === 0 || Buffer.compare(sha256, output.sha256) === 0);
    return same ? { state: "kept", sizeBytes, sha256, bytes } : { state: "changed", bytes };
  } catch (error) {
    signal.throwIfAborted();
    const code = systemCodeOf(error);
    if (code === undefined) throw error;
    return code === "ENOENT" || code === "ENOTDIR"
      ? { state: "missing", bytes: 0 }
      : { state: "unreadable", reason: code, bytes: 0 };
  }
}
