import { describe, expect, test } from "@jest/globals";
import fc from "fast-check";
import { DEFAULT_K, readSearchState, writeSearchState } from "./search-state.ts";

describe("the search in the address bar", () => {
  test("survives the way there and back", () => {
    fc.assert(
      fc.property(
        fc.record({
          text: fc.string(),
          k: fc.integer({ min: 1, max: 100 }),
          threshold: fc.integer({ min: 0, max: 100 }).map((percent) => percent / 100),
        }),
        (state) => {
          const full = { ...state, imageId: undefined };
          expect(readSearchState(writeSearchState(full))).toEqual(full);
        },
      ),
    );
    const like = { text: "", imageId: 42n, k: 5, threshold: 0 };
    expect(readSearchState(writeSearchState(like))).toEqual(like);
  });

  test("is empty for an empty search", () => {
    expect(writeSearchState(readSearchState(""))).toBe("");
  });

  test("takes nonsense for what is not there", () => {
    expect(readSearchState("?k=0&threshold=7&like=abc")).toEqual({
      text: "",
      imageId: undefined,
      k: DEFAULT_K,
      threshold: 0,
    });
  });
});
