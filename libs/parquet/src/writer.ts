import { open, rename, rm, stat, type FileHandle } from "node:fs/promises";
import { basename, dirname, resolve } from "node:path";
import { KindredError } from "@kindred/errors";
import { checkOptions, ParquetEncoder } from "./encoder.ts";
import { fileError } from "./file-errors.ts";
import type { ParquetBatch, ParquetWriter, ParquetWriterOptions } from "./types.ts";

/**
 * Begins a Parquet file (zstd) at `path`. It is written to `<path>.partial` and takes its name, and the place of a file
 * that had it, in `finish()`; what a killed process left under the temporary name is written over by the next.
 * What is appended is copied. Calls must not overlap.
 *
 * @throws KindredError invalid-argument where the options are wrong, not-found where there is no such folder,
 *   resource-exhausted where the disk is full
 */
export async function createParquetFile(path: string, options: ParquetWriterOptions): Promise<ParquetWriter> {
  checkOptions(options);
  const target = resolve(path);
  const partial = `${target}.partial`;
  try {
    // A new file each time: a writer that is still at work on the old one finds out before it renames.
    await rm(partial, { force: true });
    return new AtomicParquetWriter(target, partial, await open(partial, "wx"), options);
  } catch (error) {
    throw fileError(`cannot write ${target}`, error);
  }
}

class AtomicParquetWriter implements ParquetWriter {
  readonly #target: string;
  readonly #partial: string;
  readonly #file: FileHandle;
  readonly #encoder: ParquetEncoder;
  #isFinished = false;
  #isClosed = false;

  constructor(target: string, partial: string, file: FileHandle, options: ParquetWriterOptions) {
    this.#target = target;
    this.#partial = partial;
    this.#file = file;
    this.#encoder = new ParquetEncoder((bytes) => this.#write(bytes), options, basename(target));
  }

  get rows(): number {
    return this.#encoder.rows;
  }

  append(batch: ParquetBatch): Promise<void> {
    return this.#encoder.append(batch);
  }

  async finish(): Promise<{ rows: number; bytes: number; rowGroups: number }> {
    const written = await this.#encoder.finish();
    await this.#attempt(async () => {
      await this.#file.sync();
      const [mine, there] = await Promise.all([this.#file.stat(), stat(this.#partial)]);
      if (mine.ino !== there.ino) {
        throw new KindredError(
          "aborted",
          `${this.#target} is being written by somebody else too, who began later`,
        );
      }
      await this.#file.close();
      await rename(this.#partial, this.#target);
      await syncFolder(dirname(this.#target));
    });
    this.#isFinished = true;
    return written;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#isFinished || this.#isClosed) return;
    this.#isClosed = true;
    await this.#encoder[Symbol.asyncDispose]();
    const mine = await this.#file.stat().catch(() => undefined);
    await this.#file.close().catch(() => undefined);
    const there = await stat(this.#partial).catch(() => undefined);
    if (mine !== undefined && there?.ino === mine.ino) await rm(this.#partial, { force: true });
  }

  #write(bytes: Uint8Array): Promise<void> {
    return this.#attempt(async () => {
      let done = 0;
      while (done < bytes.byteLength) {
        const { bytesWritten } = await this.#file.write(bytes, done, bytes.byteLength - done);
        done += bytesWritten;
      }
    });
  }

  async #attempt(work: () => Promise<void>): Promise<void> {
    try {
      await work();
    } catch (error) {
      throw fileError(`cannot write ${this.#target}`, error);
    }
  }
}

/** A name is only on the disk when its folder is. */
async function syncFolder(folder: string): Promise<void> {
  const handle = await open(folder, "r");
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}
