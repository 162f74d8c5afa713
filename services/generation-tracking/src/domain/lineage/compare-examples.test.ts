import { describe, expect, test } from "@jest/globals";
import * as fc from "fast-check";
import type { RetrievedExample } from "../generation.ts";
import { compareExamples, imageKey, missingImages } from "./compare-examples.ts";

/** Examples by rank from 1: ids of images, with their captions where they matter. */
const ranked = (...images: (number | [id: number, caption: string])[]): RetrievedExample[] =>
  images.map((image, i) => {
    const [id, caption] = typeof image === "number" ? [image, "as it was"] : image;
    return { imageId: BigInt(id), imagePath: `${id}.png`, caption, similarity: 1 - i / 10, rank: i + 1 };
  });

const kinds = (comparison: ReturnType<typeof compareExamples>): string[] =>
  comparison.changes.map(({ imageId, kind }) => `${imageId} ${kind}`);

describe("compareExamples", () => {
  test("says of each image what became of it: those of today by rank, then those that are gone", () => {
    const comparison = compareExamples(
      ranked(1, [2, "a cat"], 3, 4, 5),
      ranked(1, 6, [2, "a dog"]),
      new Set([imageKey({ imageId: 3n, imagePath: "" }), imageKey({ imageId: 5n, imagePath: "" })]),
    );
    expect(kinds(comparison)).toEqual([
      "1 same",
      "6 added",
      "2 moved",
      "3 dropped",
      "4 deleted",
      "5 dropped",
    ]);
    expect(comparison.overlap).toBe(2 / 5);
    expect(comparison.changes[2]).toEqual({
      imageId: 2n,
      imagePath: "2.png",
      kind: "moved",
      rankThen: 2,
      rankNow: 3,
      similarityThen: 0.9,
      similarityNow: 0.8,
      captionChanged: true,
    });
    expect(comparison.changes[1]).toMatchObject({ rankThen: undefined, similarityThen: undefined });
    expect(comparison.changes[4]).toMatchObject({
      rankThen: 4,
      rankNow: undefined,
      similarityNow: undefined,
    });
    expect(comparison.changes.filter(({ captionChanged }) => captionChanged)).toHaveLength(1);
  });

  test("an image that was found several times counts once, at its best rank", () => {
    const comparison = compareExamples(ranked(7, 8, 7), ranked(8, 7, 7, 8), new Set());
    expect(kinds(comparison)).toEqual(["8 moved", "7 moved"]);
    expect(comparison).toMatchObject({
      overlap: 1,
      changes: [
        { rankThen: 2, rankNow: 1 },
        { rankThen: 1, rankNow: 2 },
      ],
    });
  });

  test("images that are not from the vector store are told apart by their paths", () => {
    const at = (imagePath: string): RetrievedExample => ({ ...ranked(0)[0]!, imagePath });
    const comparison = compareExamples([at("a"), at("b")], ranked(1), new Set(["path:b"]));
    expect(comparison.changes.map(({ imagePath, kind }) => [imagePath, kind])).toEqual([
      ["1.png", "added"],
      ["a", "deleted"],
      ["b", "dropped"],
    ]);
  });

  test("there is no overlap to speak of where nothing was retrieved", () => {
    expect(compareExamples([], ranked(1), new Set())).toMatchObject({ overlap: undefined });
    expect(compareExamples(ranked(1), [], new Set())).toMatchObject({ overlap: 0 });
  });

  test("names each image of then or now once, whatever they are", () => {
    const ids = fc.array(fc.integer({ min: 1, max: 12 }), { maxLength: 12 });
    fc.assert(
      fc.property(ids, ids, ids, (thenIds, nowIds, cataloguedIds) => {
        const [then, now] = [ranked(...thenIds), ranked(...nowIds)];
        const catalogued = new Set(cataloguedIds.map((id) => `id:${id}`));
        const { changes, overlap } = compareExamples(then, now, catalogued);
        const named = changes.map(({ imageId }) => Number(imageId));
        const all = new Set([...thenIds, ...nowIds]);
        expect(named.toSorted()).toEqual([...all].toSorted());
        for (const { imageId, kind, rankThen, rankNow } of changes) {
          const id = Number(imageId);
          expect(rankThen ?? 0).toBe(thenIds.indexOf(id) + 1);
          expect(rankNow ?? 0).toBe(nowIds.indexOf(id) + 1);
          const gone = cataloguedIds.includes(id) ? "dropped" : "deleted";
          const kept = rankThen === rankNow ? "same" : "moved";
          expect(kind).toBe(rankNow === undefined ? gone : rankThen === undefined ? "added" : kept);
        }
        const before = new Set(thenIds);
        const shared = [...before].filter((id) => nowIds.includes(id)).length;
        expect(overlap).toBe(before.size === 0 ? undefined : shared / before.size);
        const missing = missingImages(then, now).map(({ imageId }) => Number(imageId));
        expect(missing).toEqual([...before].filter((id) => !nowIds.includes(id)));
      }),
    );
  });
});
