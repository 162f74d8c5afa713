import { describe, expect, test } from "@jest/globals";
import fc from "fast-check";
import { imagesLayout, type Layout } from "../layout.ts";
import {
  baseName,
  buildingName,
  freeName,
  indexName,
  indexNameProblem,
  isTemporary,
  ownNames,
  retiredName,
} from "./index-names.ts";

const HNSW = { method: "hnsw", quantization: "none", metric: "cosine" } as const;
const place = (name: string, column: string): Pick<Layout, "vectors" | "vector"> => ({
  vectors: { schema: "public", name },
  vector: { column, storage: "vector" },
});

describe("the name of an index", () => {
  test("is what it always was for the images", () => {
    expect(indexName(imagesLayout("s", "vector"), HNSW, "vector")).toBe("embeddings_embedding_hnsw_idx");
  });

  test.each([
    [{ ...HNSW, quantization: "halfvec" }, "vector", "t_v_hnsw_halfvec_idx"],
    [{ ...HNSW, method: "ivfflat", metric: "l2" }, "vector", "t_v_ivfflat_l2_idx"],
    [{ ...HNSW, quantization: "binary", metric: "l2" }, "vector", "t_v_hnsw_binary_idx"],
    [{ ...HNSW, metric: "hamming" }, "bit", "t_v_hnsw_idx"],
    [{ ...HNSW, metric: "jaccard" }, "bit", "t_v_hnsw_jaccard_idx"],
  ] as const)("says how it is built: %j of %s is %s", (spec, elementType, name) => {
    expect(indexName(place("t", "v"), spec, elementType)).toBe(name);
  });

  test("fits with its suffixes, and differs for different tables, whatever they are called", () => {
    const identifier = fc.string({ unit: "grapheme", minLength: 40, maxLength: 63 });
    fc.assert(
      fc.property(identifier, identifier, (a, b) => {
        const [one, other] = [
          indexName(place(a, "v"), HNSW, "vector"),
          indexName(place(b, "v"), HNSW, "vector"),
        ];
        expect(Buffer.byteLength(buildingName(one))).toBeLessThanOrEqual(63);
        expect(one === other).toBe(a === b);
        expect(one.isWellFormed()).toBe(true);
      }),
    );
  });

  test("is known without what a build or a REINDEX adds", () => {
    const [name] = ownNames(place("t", "v"), "vector");
    for (const temporary of [
      buildingName(name ?? ""),
      retiredName(name ?? ""),
      `${name}_ccnew`,
      `${name}_ccold2`,
    ]) {
      expect(baseName(temporary)).toBe(name);
      expect(isTemporary(temporary)).toBe(true);
    }
    expect(isTemporary(name ?? "")).toBe(false);
  });

  test("can be chosen where it fits with its suffixes, and is not taken for one of them", () => {
    for (const good of ["embeddings_ivfflat_idx", 'My "index"', "_new_", "new", "é".repeat(29)])
      expect(indexNameProblem(good)).toBeUndefined();
    for (const [bad, problem] of [
      ["", "must not be empty"],
      ["a".repeat(60), "at most 59 bytes"],
      ["é".repeat(30), "has 60"],
      ["a\0b", "NUL"],
      ["a\ud800", "well-formed"],
      ["a_new", "_new"],
      ["a_old", "_old"],
      ["a_ccnew", "_ccnew"],
      ["a_ccold12", "_ccold12"],
    ] as const)
      expect(indexNameProblem(bad)).toContain(problem);
    fc.assert(
      fc.property(fc.string({ unit: "binary", maxLength: 70 }), (name) => {
        fc.pre(indexNameProblem(name) === undefined);
        expect(Buffer.byteLength(retiredName(name))).toBeLessThanOrEqual(63);
        expect(baseName(buildingName(name))).toBe(name);
        expect(isTemporary(name)).toBe(false);
      }),
    );
  });

  test("makes way for what others have called so", () => {
    expect(freeName("a_idx", (name) => name === "a_idx")).toBe("a_idx_2");
    expect(freeName("a_idx", () => false)).toBe("a_idx");
  });
});
