import { expect, test } from "@jest/globals";
import { parseCatalogue } from "./catalogue.ts";

const REMOTE = { name: "qwen", kind: "remote", preset: "fireworks/qwen3-embedding-8b" };
const priceOf = (price?: unknown): unknown => {
  const [entry] = parseCatalogue({
    models: [{ ...REMOTE, ...(price !== undefined && { pricePerMillionTokens: price }) }],
  });
  return entry?.kind === "remote" ? entry.spec.pricePerMillionTokens : "not remote";
};

test("a model of a provider has the price that is given, and no preset has one", () => {
  expect(priceOf()).toBeUndefined();
  expect(priceOf(0.1)).toBe(0.1);
  expect(priceOf(0)).toBe(0);
});

test.each([-1, "0.1", Number.NaN, 2e6])("a price of %p is refused by its place", (price) => {
  expect(() => priceOf(price)).toThrow(
    /models\[0\]\.pricePerMillionTokens must be a number from 0 to 1000000/,
  );
});
