import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach } from "@jest/globals";
import { fakeVectorStore, type FakeVectorStore } from "./fake-vector-store.ts";
import { runInProcess } from "./run-in-process.ts";

/** A folder, services and files for `kindred vectors`, new for each test of the file that asks for it. */
export function vectorsFixture() {
  let folder = "";
  let cleanup: AsyncDisposableStack;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), "kindred-vectors-"));
    cleanup = new AsyncDisposableStack();
  });
  afterEach(async () => {
    await cleanup.disposeAsync();
    rmSync(folder, { recursive: true });
  });
  return {
    folder: () => folder,
    service: async (...args: Parameters<typeof fakeVectorStore>): Promise<FakeVectorStore> =>
      cleanup.use(await fakeVectorStore(...args)),
    /** `kindred vectors` against the service. */
    vectors: (at: Pick<FakeVectorStore, "url">, ...args: string[]) =>
      runInProcess(["vectors", "--url", at.url, ...args], { KINDRED_HOME: folder }),
    fileOf: (content: string | Uint8Array, name = "songs.jsonl"): string => {
      const path = join(folder, name);
      writeFileSync(path, content);
      return path;
    },
  };
}

/** The i-th item, as a line of an import. */
export const lineOf = (i: number): string =>
  JSON.stringify({
    key: `k${i}`,
    vector: [i, 0.5, -1],
    metadata: { year: 1990 + i },
    document: `Song ${i}.`,
  });

export const linesOf = (count: number): string =>
  Array.from({ length: count }, (_, i) => `${lineOf(i)}\n`).join("");

export const floats = (...values: number[]): Uint8Array => new Uint8Array(new Float32Array(values).buffer);
