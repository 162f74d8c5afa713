import { open, type FileHandle } from "node:fs/promises";
import { KindredError } from "@kindred/errors";

/** A file of known length that is read at any place. */
export class IndexSource implements AsyncDisposable {
  readonly path: string;
  /** Bytes, when it was opened. */
  readonly size: number;
  readonly #handle: FileHandle;

  constructor(path: string, size: number, handle: FileHandle) {
    this.path = path;
    this.size = size;
    this.#handle = handle;
  }

  /**
   * Fills `into` with the bytes from `at` on.
   * @throws KindredError data-loss when the file ends before that
   */
  async read(into: Uint8Array, at: number): Promise<void> {
    for (let done = 0; done < into.byteLength;) {
      const { bytesRead } = await this.#handle.read(into, done, into.byteLength - done, at + done);
      if (bytesRead === 0)
        throw damaged(
          this.path,
          `it ends at byte ${at + done}, and had ${this.size} bytes when it was opened: something writes to it`,
        );
      done += bytesRead;
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#handle.close();
  }
}

/** @throws KindredError not-found, failed-precondition when it is no file that may be read */
export async function openSource(path: string): Promise<IndexSource> {
  let handle: FileHandle;
  try {
    handle = await open(path);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === "ENOENT" || code === "ENOTDIR")
      throw new KindredError("not-found", `${path}: there is no such file`, { cause: error });
    if (code === "EACCES" || code === "EPERM")
      throw new KindredError("failed-precondition", `${path} may not be read by this user`, { cause: error });
    throw error;
  }
  try {
    const stat = await handle.stat();
    if (!stat.isFile()) throw new KindredError("failed-precondition", `${path} is not a file`);
    return new IndexSource(path, stat.size, handle);
  } catch (error) {
    await handle.close();
    throw error;
  }
}

/** The error of a file that cannot be what FAISS wrote. */
export function damaged(path: string, what: string): KindredError {
  return new KindredError(
    "data-loss",
    `${path} is damaged or incomplete: ${what}. Copy it again from where FAISS wrote it.`,
  );
}
