import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterEach, beforeEach, expect, test } from "@jest/globals";
import { faissIndexFile, pickleFile } from "@kindred/testing";
import { vectorOf } from "./fake-embedding.ts";
import { fakeImageStore, type FakeImageStore } from "./fake-image-store.ts";
import { Kindred, kindred, until } from "./kindred.ts";

// The command as a process of its own, which Ctrl+C and SIGKILL reach; the store is slow, so that they come in the middle.

const COUNT = 60;
const BATCH = 4;

let folder: string;
let at: FakeImageStore;
beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), "kindred-faiss-"));
  const texts = Array.from({ length: COUNT }, (_, i) => `caption ${i}`);
  mkdirSync(join(folder, "set"));
  writeFileSync(
    join(folder, "set", "faiss_index.bin"),
    faissIndexFile({ dimensions: 3, vectors: texts.map((text, i) => [...vectorOf(text).slice(0, 2), i]) }),
  );
  const records = texts.map((_, i) => ({ image_path: `${i}.jpg` }));
  writeFileSync(join(folder, "set", "metadata.pkl"), pickleFile(records));
  at = await fakeImageStore({ onBatch: () => sleep(50) });
});
afterEach(async () => {
  await at[Symbol.asyncDispose]();
  rmSync(folder, { recursive: true });
});

const env = (): Record<string, string> => ({
  KINDRED_URL: at.url,
  KINDRED_HOME: folder,
  KINDRED_CACHE_DIR: join(folder, "cache"),
});
const args = (): string[] => {
  const where = ["--from", join(folder, "set"), "--apply"];
  return ["faiss", "migrate", ...where, "--batch-size", String(BATCH)];
};

test("Ctrl+C ends it behind a batch, and the same command goes on there", async () => {
  const running = new Kindred(args(), env());
  await until(() => at.images.size >= 2 * BATCH);
  running.child.kill("SIGINT");
  const { code, out, err } = await running.outcome();
  expect({ code, out }).toEqual({ code: 130, out: "" });
  // What is said is what is stored: no batch is left of which nobody knows.
  const stored = at.images.size;
  expect(stored).toBeLessThan(COUNT);
  expect(err).toContain(`Stopped by Ctrl+C: of set, ${stored} of ${COUNT} vectors are stored.`);
  expect(err).toContain("Run the same command again");

  const again = await kindred(args(), env());
  expect(again).toMatchObject({ code: 0, out: expect.stringContaining(`${COUNT - stored} images`) });
  expect(again.err).toContain(`going on behind ${stored} vectors`);
  expect(at.images.size).toBe(COUNT);
}, 120_000);

test("killed, it goes on with the batch whose answer was not heard", async () => {
  const running = new Kindred(args(), env());
  await until(() => at.images.size >= 2 * BATCH);
  running.child.kill("SIGKILL");
  await running.outcome();
  const stored = at.images.size;
  const again = await kindred([...args(), "--json"], env());
  expect(again.code).toBe(0);
  const { datasets } = JSON.parse(again.out) as { datasets: [Record<string, number>] };
  const { resumed_after: before = 0, images_added: added = 0, images_existing: there = 0 } = datasets[0];
  expect(before).toBeGreaterThan(0);
  expect(before + added + there).toBe(COUNT);
  // The batch that was under way may have been stored after the process was gone.
  expect(added).toBeLessThanOrEqual(COUNT - stored);
  expect(at.images.size).toBe(COUNT);
  expect([...at.images.values()].every(({ embeddings }) => embeddings.size === 1)).toBe(true);
}, 120_000);
