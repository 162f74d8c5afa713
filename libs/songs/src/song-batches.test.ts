import { expect, test } from "@jest/globals";
import fc from "fast-check";
import type { Song } from "./pending-songs.ts";
import { cutText, estimateTokens, inSongBatches, MAX_TEXT_BYTES } from "./song-batches.ts";

// oxlint-disable-next-line typescript/require-await -- the same as songs of a file
async function* given(songs: readonly Song[]): AsyncGenerator<Song> {
  yield* songs;
}

test("all songs in their order, and no batch with more than it may have", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.string({ unit: "grapheme", maxLength: 60 }), { maxLength: 60 }),
      fc.record({
        texts: fc.integer({ min: 1, max: 9 }),
        bytes: fc.integer({ min: 1, max: 300 }),
        tokens: fc.integer({ min: 1, max: 100 }),
        maxTokens: fc.integer({ min: 1, max: 40 }),
      }),
      async (texts, limits) => {
        const songs = texts.map((lyrics, i) => ({ id: BigInt(i), lyrics }));
        const batches = await Array.fromAsync(inSongBatches(given(songs), limits));
        expect(batches.flatMap((batch) => batch.songs)).toEqual(songs);
        for (const { songs: some } of batches) {
          if (some.length === 1) continue;
          const sizes = some.map(({ lyrics }) => Buffer.byteLength(lyrics));
          const tokens = sizes.map((size) => estimateTokens(size, limits.maxTokens));
          expect(some.length).toBeLessThanOrEqual(limits.texts);
          expect(sizes.reduce((sum, size) => sum + size, 0)).toBeLessThanOrEqual(limits.bytes);
          expect(tokens.reduce((sum, count) => sum + count, 0)).toBeLessThanOrEqual(limits.tokens);
        }
      },
    ),
  );
});

test("a text that no call takes is cut, and counted", async () => {
  const songs = [
    { id: 1n, lyrics: "short" },
    { id: 2n, lyrics: "é".repeat(MAX_TEXT_BYTES) },
  ];
  const limits = { texts: 10, bytes: 2 ** 23, tokens: 1e6, maxTokens: 256 };
  const [batch, ...others] = await Array.fromAsync(inSongBatches(given(songs), limits));
  expect(others).toEqual([]);
  expect(batch?.cut).toBe(1);
  expect(batch?.songs[1]?.lyrics).toBe("é".repeat(MAX_TEXT_BYTES / 2));
});

test("a cut leaves whole characters, as many as fit", () => {
  fc.assert(
    fc.property(
      fc.string({ unit: "binary", maxLength: 40 }),
      fc.integer({ min: 0, max: 80 }),
      (text, bytes) => {
        const cut = cutText(text, bytes);
        expect(text.startsWith(cut)).toBe(true);
        expect(Buffer.byteLength(cut)).toBeLessThanOrEqual(bytes);
        const [next] = text.slice(cut.length);
        if (next !== undefined) expect(Buffer.byteLength(cut + next)).toBeGreaterThan(bytes);
      },
    ),
  );
});
