import { expect, test } from "@jest/globals";
import { SongBatcher } from "./song-rows.ts";

test("songs without lyrics are counted, and their ids looked at", () => {
  const batcher = new SongBatcher(undefined);
  batcher.add(1n, "Rain", "Ada", "It rains.");
  for (const [i, lyrics] of [null, "", " \n\t", "\u00a0\u3000"].entries()) {
    batcher.add(BigInt(i + 2), "Instrumental", null, lyrics);
  }
  expect(batcher.take()).toEqual({
    ids: [1n],
    names: ["Rain"],
    artists: ["Ada"],
    lyrics: ["It rains."],
    characters: 16,
    skipped: 4,
    lastId: 5n,
  });
  expect(batcher.take()).toMatchObject({ ids: [], skipped: 0, lastId: undefined });
});

test("a batch is full by its rows, and by its characters", () => {
  const batcher = new SongBatcher(undefined);
  for (let id = 1n; id < 1_000n; id += 1n) batcher.add(id, null, null, "la");
  expect(batcher.isFull).toBe(false);
  batcher.add(1_000n, null, null, "la");
  expect(batcher.isFull).toBe(true);
  batcher.take();
  batcher.add(1_001n, null, null, "la ".repeat(2 ** 21));
  expect(batcher.isFull).toBe(true);
});

test.each([
  ["the same id", 5n, /id 5 comes twice/],
  ["a smaller id", 4n, /id 4 comes twice/],
  ["no id", undefined, /behind id 5 has no id/],
])("%s is refused", (_what, id, message) => {
  const batcher = new SongBatcher(3n);
  batcher.add(5n, null, null, "la");
  expect(() => batcher.add(id, null, null, "la")).toThrow(message);
});

test("ids go on behind those of earlier runs", () => {
  expect(() => new SongBatcher(7n).add(7n, null, null, "la")).toThrow(/id 7 comes twice/);
});
