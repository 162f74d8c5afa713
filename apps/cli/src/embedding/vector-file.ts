import { open, rename, rm, type FileHandle } from "node:fs/promises";
import { extname, resolve } from "node:path";
import { packVectors } from "@kindred/rpc";
import { EXIT } from "../exit-codes.ts";
import { Failure } from "../failure.ts";
import { unwritable } from "../file-error.ts";
import { npyHeader, NPY_HEADER_BYTES } from "./npy.ts";
import { jsonLines, type VectorRows } from "./vector-json.ts";

/** How vectors are written: what a part of them becomes, and what stands before all of them once their number is known. */
export interface VectorFormat<Rows = VectorRows> {
  /** Bytes that are kept free at the beginning. */
  readonly headerBytes: number;
  encode(rows: Rows): Uint8Array | string;
  /** Exactly `headerBytes` bytes. */
  header(count: number, dimensions: number): Uint8Array;
}

export const NO_HEADER = { headerBytes: 0, header: () => new Uint8Array(0) };

/** The format that the extension of a file's name stands for: .jsonl, .npy or .f32. @throws Failure for any other. */
export function vectorFormat(path: string, options: { withText: boolean }): VectorFormat {
  switch (extname(path).toLowerCase()) {
    case ".jsonl":
    case ".ndjson":
      return { ...NO_HEADER, encode: (rows) => jsonLines(rows, options) };
    case ".npy":
      return {
        headerBytes: NPY_HEADER_BYTES,
        encode: ({ vectors }) => packVectors(vectors),
        header: npyHeader,
      };
    case ".f32":
      return { ...NO_HEADER, encode: ({ vectors }) => packVectors(vectors) };
    default:
      throw new Failure(
        `--out ${path}: its extension says how vectors are written, and it is none of those known.`,
        {
          exitCode: EXIT.usage,
          remedy:
            "Give it one of .jsonl (JSON lines), .npy (NumPy, float32), .f32 (bare little-endian float32)",
        },
      );
  }
}

/** A file of vectors that appears under its name only when it is complete. */
export interface VectorFile<Rows = VectorRows> extends AsyncDisposable {
  write(rows: Rows): Promise<void>;
  /** Writes what stands at the beginning, and moves the file into its place. @returns its size in bytes */
  complete(count: number, dimensions: number): Promise<number>;
}

/**
 * Begins a file beside its place. Disposing of it before it is complete removes it.
 * @throws Failure when it cannot be written; every method does.
 */
export async function openVectorFile<Rows>(
  path: string,
  format: VectorFormat<Rows>,
): Promise<VectorFile<Rows>> {
  const target = resolve(path);
  const aside = `${target}.${process.pid}.part`;
  const doing = async <T>(work: () => Promise<T>): Promise<T> => {
    try {
      return await work();
    } catch (error) {
      throw unwritable(path, error);
    }
  };
  const file = await doing(() => open(aside, "w"));
  return new AsideFile({ file, aside, target, format, doing });
}

interface AsideFileParts<Rows> {
  file: FileHandle;
  aside: string;
  target: string;
  format: VectorFormat<Rows>;
  doing: <T>(work: () => Promise<T>) => Promise<T>;
}

class AsideFile<Rows> implements VectorFile<Rows> {
  readonly #parts: AsideFileParts<Rows>;
  #position: number;
  #isInPlace = false;

  constructor(parts: AsideFileParts<Rows>) {
    this.#parts = parts;
    this.#position = parts.format.headerBytes;
  }

  write(rows: Rows): Promise<void> {
    const content = this.#parts.format.encode(rows);
    const bytes = typeof content === "string" ? Buffer.from(content) : content;
    return this.#parts.doing(async () => {
      await writeAll(this.#parts.file, bytes, this.#position);
      this.#position += bytes.byteLength;
    });
  }

  complete(count: number, dimensions: number): Promise<number> {
    const { file, aside, target, format, doing } = this.#parts;
    return doing(async () => {
      await writeAll(file, format.header(count, dimensions), 0);
      // On disk before its name is: a crash leaves the whole file or none.
      await file.sync();
      await file.close();
      await rename(aside, target);
      this.#isInPlace = true;
      return this.#position;
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#isInPlace) return;
    await this.#parts.file.close().catch(() => undefined);
    await rm(this.#parts.aside, { force: true });
  }
}

async function writeAll(file: FileHandle, bytes: Uint8Array, position: number): Promise<void> {
  for (let done = 0; done < bytes.byteLength;) {
    const { bytesWritten } = await file.write(bytes, done, bytes.byteLength - done, position + done);
    done += bytesWritten;
  }
}
