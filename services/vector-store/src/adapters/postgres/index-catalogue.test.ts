import { describe, expect, test } from "@jest/globals";
import { contentOf } from "./index-catalogue.ts";

describe("contentOf", () => {
  test.each([
    // As PostgreSQL 17 prints them, pgvector in a schema on the search path and off it.
    ["embedding", "(embedding::halfvec(384))", "halfvec", 384],
    ["embedding", "(embedding::ext.halfvec(384))", "halfvec", 384],
    ["embedding", `(embedding::"my ext".halfvec(4))`, "halfvec", 4],
    [`"The ""Vector"`, `("The ""Vector"::halfvec(7))`, "halfvec", 7],
    ["embedding", "(binary_quantize(embedding)::bit(8192))", "binary", 8192],
    ["embedding", "(ext.binary_quantize(embedding)::bit(8))", "binary", 8],
    // Not pretty-printed.
    ["embedding", "((embedding)::ext.halfvec(384))", "halfvec", 384],
    ["embedding", "((ext.binary_quantize(embedding))::bit(8))", "binary", 8],
  ])("%s in %s", (column, expression, quantization, dimensions) => {
    expect(contentOf(expression, column)).toEqual({ quantization, dimensions });
  });

  test("the column itself is not quantised", () => {
    expect(contentOf(null, "embedding")).toEqual({ quantization: "none", dimensions: undefined });
  });

  test.each([
    "(subvector(embedding, 1, 4)::vector(4))",
    "(subvector(embedding, 1, 4)::halfvec(4))",
    "(l2_normalize(embedding)::halfvec(4))",
    "(binary_quantize(other)::bit(8))",
    "(binary_quantize(subvector(embedding, 1, 8))::bit(8))",
    "binary_quantize(embedding)",
    "(embedding::halfvec)",
    "(other.embedding::halfvec(3))",
  ])("%s is not all of it", (expression) => {
    expect(contentOf(expression, "embedding")).toBeUndefined();
  });
});
