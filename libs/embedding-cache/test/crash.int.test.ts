import { spawn, type ChildProcessByStdio } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import type { Readable } from "node:stream";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { expect, test } from "@jest/globals";
import { openEmbeddingCacheWriter } from "../src/index.ts";
import { range, readAll, segmentsOf, SHAPE, temporaryFolder, vectorsOf } from "./caches.ts";

const WRITER = fileURLToPath(new URL("fixtures/writer.ts", import.meta.url));

interface Said {
  opened?: number;
  cutBytes?: number;
  kept?: number;
  failed?: string;
  failedAgain?: string;
  message?: string;
  broken?: string;
}

/** A process that writes, and all that it has said. */
class WritingProcess implements AsyncDisposable {
  readonly said: Said[] = [];
  readonly #child: ChildProcessByStdio<null, Readable, null>;
  readonly #ended: Promise<unknown>;

  constructor(command: string, args: readonly string[]) {
    this.#child = spawn(command, args, { stdio: ["ignore", "pipe", "inherit"] });
    this.#ended = once(this.#child, "close");
    createInterface({ input: this.#child.stdout }).on("line", (line) =>
      this.said.push(JSON.parse(line) as Said),
    );
  }

  /** The greatest number of records that it was promised, as far as it could say so. */
  get kept(): number {
    return Math.max(0, ...this.said.map(({ kept, opened }) => kept ?? opened ?? 0));
  }

  async until(what: () => boolean): Promise<void> {
    while (!what()) {
      this.refuseEnded();
      await sleep(2);
    }
  }

  /** What it never says nobody should wait for. */
  refuseEnded(): void {
    const { exitCode, signalCode } = this.#child;
    if (exitCode !== null || signalCode !== null)
      throw new Error(`it has ended: ${JSON.stringify(this.said.at(-1))}`);
  }

  async ended(): Promise<void> {
    await this.#ended;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#child.kill("SIGKILL");
    await this.#ended;
  }
}

/** The first position that does not hold its own number; -1 when all do. Thousands of expectations would take minutes. */
const firstOther = (ids: readonly bigint[]): number => ids.findIndex((id, i) => id !== BigInt(i));

test("a writer that is killed at any moment keeps what it was promised; readers and the next writer see it", async () => {
  using folder = temporaryFolder();
  let kept = 0;
  for (let round = 0; round < 10; round++) {
    await using writing = new WritingProcess(process.execPath, [WRITER, folder.path]);
    await writing.until(() => writing.said.some(({ opened }) => opened !== undefined));
    // Nothing that was promised to the last one is gone.
    expect(writing.said[0]?.opened).toBeGreaterThanOrEqual(kept);
    await expect(openEmbeddingCacheWriter(folder.path, SHAPE)).rejects.toMatchObject({
      kind: "failed-precondition",
    });
    const enough = writing.said.length + Math.floor(Math.random() * 10);
    while (writing.said.length < enough) {
      writing.refuseEnded();
      const promised = writing.kept;
      const seen = await readAll(folder.path);
      expect(seen.length).toBeGreaterThanOrEqual(promised);
      expect(firstOther(seen)).toBe(-1);
    }
    await sleep(Math.random() * 20);
    await writing[Symbol.asyncDispose]();
    kept = writing.kept;
    const seen = await readAll(folder.path);
    expect(seen.length).toBeGreaterThanOrEqual(kept);
    expect(firstOther(seen)).toBe(-1);
  }
  // Over several segments, and once more by this process, which takes the dead one's lock.
  expect(segmentsOf(folder.path).length).toBeGreaterThan(1);
  const before = (await readAll(folder.path)).length;
  {
    await using writer = await openEmbeddingCacheWriter(folder.path, SHAPE);
    await writer.append(range(before, 5), vectorsOf(range(before, 5)));
  }
  const after = await readAll(folder.path);
  expect(after.length).toBe(before + 5);
  expect(firstOther(after)).toBe(-1);
}, 180_000);

test("a file that may not grow any more ends with resource-exhausted, and the cache is whole", async () => {
  using folder = temporaryFolder();
  // In blocks of 512 or 1024 bytes, as the shell has it; a segment would have 40,000 bytes.
  const limited = 'ulimit -f 20 && exec "$0" "$@"';
  await using writing = new WritingProcess("sh", ["-c", limited, process.execPath, WRITER, folder.path]);
  await writing.ended();
  const failures = writing.said.filter(({ failed, failedAgain, broken }) => failed ?? failedAgain ?? broken);
  expect(failures).toEqual([
    {
      failed: "resource-exhausted",
      message: expect.stringMatching(/cannot write the embedding cache .*ulimit -f/),
    },
    { failedAgain: "resource-exhausted" },
  ]);
  expect(writing.kept).toBeGreaterThan(0);
  const seen = await readAll(folder.path);
  expect(seen.length).toBeGreaterThanOrEqual(writing.kept);
  expect(firstOther(seen)).toBe(-1);
  {
    await using writer = await openEmbeddingCacheWriter(folder.path, SHAPE);
    expect(writer.cutBytes).toBe(0);
    await writer.append(range(seen.length, 500), vectorsOf(range(seen.length, 500)));
  }
  const after = await readAll(folder.path);
  expect(after.length).toBe(seen.length + 500);
  expect(firstOther(after)).toBe(-1);
}, 60_000);
