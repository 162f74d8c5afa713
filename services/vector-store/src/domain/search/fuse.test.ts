import { describe, expect, test } from "@jest/globals";
import type { RankedHit } from "./find-nearest.ts";
import { fuse } from "./fuse.ts";

function hit(key: string, similarity: number, group?: string): RankedHit {
  return {
    key,
    similarity,
    distance: 1 - similarity,
    group,
    image: undefined,
    vector: undefined,
    metadata: undefined,
    document: undefined,
  };
}

const options = {
  rankConstant: 60,
  textWeight: 1,
  keyType: "text" as const,
  identityOf: (each: RankedHit) => each.key,
};

describe("fuse", () => {
  test("adds up the shares of both lists", () => {
    const [a, b, c] = [hit("a", 0.9), hit("b", 0.8), hit("c", 0.1)];
    const fused = fuse([a, b], [c, b], options);
    expect(fused.map(({ key, textRank }) => [key, textRank])).toEqual([
      ["b", 2],
      ["a", undefined],
      ["c", 1],
    ]);
    expect(fused.map(({ fusedScore }) => fusedScore)).toEqual([1 / 62 + 1 / 62, 1 / 61, 1 / 61]);
  });

  test("a weight moves the full-text list's hits", () => {
    const fused = fuse([hit("a", 0.9)], [hit("c", 0.1)], { ...options, textWeight: 2 });
    expect(fused.map(({ key }) => key)).toEqual(["c", "a"]);
  });

  test("equal scores are ordered by similarity, then by the key's own order", () => {
    const list = (keys: string[]) => keys.map((key) => hit(key, 0.5));
    const fused = fuse(list(["10"]), list(["9"]), { ...options, keyType: "bigint" });
    expect(fused.map(({ key }) => key)).toEqual(["9", "10"]);
    const byText = fuse(list(["10"]), list(["9"]), options);
    expect(byText.map(({ key }) => key)).toEqual(["10", "9"]);
  });

  test("of one identity only the best hit counts, and ranks have no gaps", () => {
    const nearest = [hit("a1", 0.9, "a")];
    const matched = [hit("b1", 0.2, "b"), hit("b2", 0.4, "b"), hit("a2", 0.3, "a")];
    const fused = fuse(nearest, matched, { ...options, identityOf: (each) => each.group });
    expect(fused.map(({ key, textRank }) => [key, textRank])).toEqual([
      ["a1", 2],
      ["b2", 1],
    ]);
  });
});
