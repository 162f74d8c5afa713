import { expect, test } from "@jest/globals";
import { KindredError } from "@kindred/errors";
import { embedBatch, type EmbeddedTexts } from "./embed-batch.ts";
import { refusal, songsOf, vectorsOf } from "./songs-fixture.ts";

const MAX_TOKENS = 16;

const answer = (texts: readonly string[]): EmbeddedTexts => ({
  vectors: vectorsOf(texts),
  tokens: texts.length,
  truncated: 0,
});

/** A provider whose model reads so many bytes, and that names the text that is too long, a range of them, or nothing. */
function providerOf(mostBytes: number, { names = "one" as "one" | "range", poison = "" } = {}) {
  const calls: string[][] = [];
  const embed = (texts: string[]): Promise<EmbeddedTexts> => {
    calls.push(texts);
    const bad = texts.findIndex(
      (text) => Buffer.byteLength(text) > mostBytes || (poison !== "" && text.includes(poison)),
    );
    if (bad < 0) return Promise.resolve(answer(texts));
    const field = names === "one" ? `texts[${bad}]` : `texts[0..${texts.length - 1}]`;
    return Promise.reject(refusal(texts.length === 1 ? "texts[0]" : field));
  };
  return { calls, embed };
}

test("one call, where nothing is refused", async () => {
  const { calls, embed } = providerOf(1_000);
  const songs = songsOf(5);
  const { ids, vectors, tokens, truncated, refused } = await embedBatch({ songs, cut: 0 }, embed, MAX_TOKENS);
  expect(calls).toHaveLength(1);
  expect(ids).toEqual(songs.map(({ id }) => id));
  expect(vectors).toEqual(vectorsOf(songs.map(({ lyrics }) => lyrics)));
  expect({ tokens, truncated, refused }).toEqual({ tokens: 5, truncated: 0, refused: [] });
});

test.each(["one", "range"] as const)(
  "a text that is too long is cut until the provider takes it, naming %s",
  async (names) => {
    const { embed } = providerOf(100, { names });
    const songs = songsOf(9);
    const long = "ä".repeat(400);
    songs[4] = { id: 5n, lyrics: long };
    const { ids, vectors, truncated, refused } = await embedBatch({ songs, cut: 0 }, embed, MAX_TOKENS);
    expect([...ids].toSorted((a, b) => Number(a - b))).toEqual(songs.map(({ id }) => id));
    expect(truncated).toBe(1);
    expect(refused).toEqual([]);
    // What was embedded is the beginning of it, with whole characters, and not much less than fits.
    const length = vectors[3 * ids.indexOf(5n)] as number;
    expect(length).toBeGreaterThan(100 / 2 / 2);
    expect(length).toBeLessThanOrEqual(100 / 2);
    expect([...vectors.subarray(3 * ids.indexOf(5n), 3 * ids.indexOf(5n) + 2)]).toEqual(
      [...vectorsOf(["ä".repeat(length)])].slice(0, 2),
    );
    for (const [i, id] of ids.entries()) {
      if (id === 5n) continue;
      const song = songs.find((each) => each.id === id);
      expect(vectors.subarray(3 * i, 3 * i + 3)).toEqual(vectorsOf([song?.lyrics ?? ""]));
    }
  },
);

test("what is refused although it is short is left out, and all others have their vectors", async () => {
  const { calls, embed } = providerOf(1_000, { names: "range", poison: "poison" });
  const songs = songsOf(64);
  songs[20] = { id: 21n, lyrics: "poison" };
  const { ids, refused } = await embedBatch({ songs, cut: 0 }, embed, MAX_TOKENS);
  expect(ids).toHaveLength(63);
  expect(refused).toEqual([{ id: 21n, reason: "is refused by the provider: too long" }]);
  // By halves: not a call for each song.
  expect(calls.length).toBeLessThan(20);
});

test("a long text that is refused in every length is left out as well", async () => {
  const { calls, embed } = providerOf(1e6, { poison: "x" });
  const { ids, refused } = await embedBatch(
    { songs: [{ id: 1n, lyrics: "x".repeat(5_000) }], cut: 0 },
    embed,
    MAX_TOKENS,
  );
  expect([ids, refused.map(({ id }) => id)]).toEqual([[], [1n]]);
  expect(Buffer.byteLength(calls.at(-1)?.[0] ?? "")).toBeLessThanOrEqual(MAX_TOKENS);
});

test("an error that is about something else is thrown as it is", async () => {
  for (const error of [
    new KindredError("failed-precondition", "elsewhere denies access (401)"),
    new KindredError("invalid-argument", "model must be …", {
      violations: [{ field: "model", description: "…" }],
    }),
    new KindredError("unavailable", "away"),
  ]) {
    await expect(
      embedBatch({ songs: songsOf(2), cut: 0 }, () => Promise.reject(error), MAX_TOKENS),
    ).rejects.toBe(error);
  }
});

test("no songs, no call", async () => {
  const { calls, embed } = providerOf(1);
  expect(await embedBatch({ songs: [], cut: 0 }, embed, MAX_TOKENS)).toMatchObject({ ids: [], refused: [] });
  expect(calls).toEqual([]);
});
