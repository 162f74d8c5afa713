import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterEach, beforeEach, expect, test } from "@jest/globals";
import { fakeVectorStore, store, type FakeVectorStore } from "./fake-vector-store.ts";
import { Kindred, kindred, until } from "./kindred.ts";

// The command as a process of its own, which Ctrl+C and SIGKILL reach; the store is slow, so that they come in the middle.

const COUNT = 60;
const BATCH = 4;

let folder: string;
let at: FakeVectorStore;
beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), "kindred-interrupted-"));
  at = await fakeVectorStore({
    upsert: async (request) => {
      await sleep(50);
      return store(at.items, request, 3);
    },
  });
});
afterEach(async () => {
  await at[Symbol.asyncDispose]();
  rmSync(folder, { recursive: true });
});

const env = (): Record<string, string> => ({ KINDRED_URL: at.url, KINDRED_HOME: folder });

function fileOf(): string {
  const path = join(folder, "songs.jsonl");
  const lines = Array.from(
    { length: COUNT },
    (_, i) => `${JSON.stringify({ key: `k${i}`, vector: [i, 0, 1] })}\n`,
  );
  writeFileSync(path, lines.join(""));
  return path;
}

const args = (path: string): string[] => ["vectors", "import", "songs", path, "--batch-size", String(BATCH)];

test("Ctrl+C ends it behind a batch, and the same command goes on there", async () => {
  const path = fileOf();
  const running = new Kindred(args(path), env());
  await until(() => at.items.size >= 2 * BATCH);
  running.child.kill("SIGINT");
  const { code, out, err } = await running.outcome();
  expect({ code, out }).toEqual({ code: 130, out: "" });
  // What is said is what is stored: no batch is left of which nobody knows.
  const stored = at.items.size;
  expect(stored).toBeLessThan(COUNT);
  expect(err).toContain(`Stopped by Ctrl+C: of ${path}, everything up to line ${stored} is stored.`);
  expect(err).toContain("Run the same command again");

  // A key that is sent twice would be an error.
  const again = await kindred(args(path), env());
  expect(again).toMatchObject({ code: 0, out: expect.stringContaining(`${COUNT - stored} inserted`) });
  expect(again.err).toContain(`going on behind ${stored} lines`);
  expect(at.items.size).toBe(COUNT);
  expect(existsSync(`${path}.kindred-checkpoint`)).toBe(false);
}, 60_000);

test("killed, it goes on with the batch whose answer was not heard", async () => {
  const path = fileOf();
  const running = new Kindred(args(path), env());
  await until(() => at.items.size >= 2 * BATCH);
  running.child.kill("SIGKILL");
  await running.outcome();
  const again = await kindred([...args(path), "--on-conflict", "skip", "--json"], env());
  const { files } = JSON.parse(again.out) as {
    files: [{ inserted: number; skipped: number; resumed_after: number }];
  };
  expect(files[0].inserted + files[0].skipped + files[0].resumed_after).toBe(COUNT);
  expect(files[0].resumed_after).toBeGreaterThanOrEqual(BATCH);
  expect(at.items.size).toBe(COUNT);
}, 60_000);
