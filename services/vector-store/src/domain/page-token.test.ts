import { expect, test } from "@jest/globals";
import fc from "fast-check";
import { decodePageToken, encodePageToken } from "./page-token.ts";

const filter = { sourceDataset: "coco", tags: ["a"] };

test("a token gives back its id, for the same filter only", () => {
  fc.assert(
    fc.property(fc.bigInt({ min: 1n, max: 2n ** 63n - 1n }), (id) => {
      const token = encodePageToken(filter, id);
      expect(decodePageToken(filter, token)).toBe(id);
      expect(() => decodePageToken({ ...filter, tags: [] }, token)).toThrow("page_token");
    }),
  );
  expect(decodePageToken(filter, "")).toBe(0n);
});

test("what is no token is refused", () => {
  fc.assert(
    fc.property(fc.string({ minLength: 1 }), (token) => {
      expect(() => decodePageToken(filter, token)).toThrow("is not a token of this list");
    }),
  );
  const token = encodePageToken(filter, 7n);
  expect(() => decodePageToken(filter, `${token}=`)).toThrow("page_token");
  expect(() => decodePageToken(filter, token.slice(0, -1))).toThrow("page_token");
});
