import { create } from "@bufbuild/protobuf";
import { describe, expect, test } from "@jest/globals";
import { FilterSchema, Metric } from "@kindred/contracts/vector-store/v1";
import { packFloats } from "./vector-text.ts";
import { toRequest, type SearchOptions } from "./search-request.ts";

const LEFT_TO_THE_STORE = { exact: false, efSearch: 0, probes: 0, offset: 0, hitPerEmbedding: false };

test("a text, with what was not given left to the store", () => {
  expect(toRequest("a cat", { k: 10 })).toEqual({
    ...LEFT_TO_THE_STORE,
    query: { case: "text", value: "a cat" },
    k: 10,
  });
});

test("an image, and every option of images", () => {
  const options: SearchOptions = {
    k: 3,
    imageId: 12,
    threshold: 0,
    metric: "inner-product",
    exact: true,
    efSearch: 200,
    modelType: "m",
    embeddingType: "e",
    dataset: "d",
    perEmbedding: true,
  };
  expect(toRequest(undefined, options)).toEqual({
    query: { case: "imageId", value: 12n },
    k: 3,
    threshold: 0,
    metric: Metric.INNER_PRODUCT,
    filter: { modelType: "m", embeddingType: "e", sourceDataset: "d" },
    exact: true,
    efSearch: 200,
    probes: 0,
    offset: 0,
    hitPerEmbedding: true,
  });
});

test("every option of other collections", () => {
  const options: SearchOptions = {
    k: 5,
    collection: "songs",
    key: "17",
    offset: 20,
    probes: 4,
    metric: "jaccard",
    where: "year > 1990",
    groupBy: 'artist."home town"',
    groupSize: 2,
    hybrid: "moon or sun",
    textWeight: 0.5,
    diverse: 0.7,
    candidates: 100,
    fields: "title, year",
    showVector: true,
  };
  expect(toRequest(undefined, options)).toEqual({
    query: { case: "key", value: "17" },
    k: 5,
    collection: "songs",
    metric: Metric.JACCARD,
    exact: false,
    efSearch: 0,
    probes: 4,
    offset: 20,
    hitPerEmbedding: false,
    where: create(FilterSchema, {
      condition: {
        case: "range",
        value: { field: { segments: ["year"] }, gt: { value: { case: "number", value: 1990 } } },
      },
    }),
    groupBy: { field: expect.objectContaining({ segments: ["artist", "home town"] }), groupSize: 2 },
    hybrid: { text: "moon or sun", textWeight: 0.5, candidates: 100 },
    diversity: { lambda: 0.7, candidates: 100 },
    projection: { vector: true, metadataFields: ["title", "year"] },
  });
});

test("hybrid and diverse without a value leave theirs to the store", () => {
  expect(toRequest("x", { k: 1, hybrid: true, diverse: true })).toMatchObject({
    hybrid: { text: "", candidates: 0 },
    diversity: { candidates: 0 },
  });
});

test("a vector, with its space", () => {
  const vector = packFloats([1, 2]);
  expect(toRequest(undefined, { k: 1, vector, space: "s" })).toMatchObject({
    query: { case: "vector", value: { data: vector.data, spaceId: "s" } },
  });
});

describe("several queries", () => {
  const queriesOf = (text: string | undefined, options: Omit<SearchOptions, "k">) => {
    const { query } = toRequest(text, { k: 1, ...options });
    return query?.case === "several" ? query.value.queries : query;
  };
  const text = (value: string, weight?: number) => ({
    query: { case: "text", value },
    ...(weight !== undefined && { weight }),
  });

  test("added and subtracted, with weights", () => {
    const options = {
      also: ["rain^0.5", "2^10"],
      alsoKey: ["k^2"],
      unlike: ["people"],
      unlikeKey: ["9^.25"],
      weight: 3,
    };
    expect(queriesOf("a", options)).toEqual([
      text("a", 3),
      text("rain", 0.5),
      text("2", 10),
      { query: { case: "key", value: "k" }, weight: 2 },
      text("people", -1),
      { query: { case: "key", value: "9" }, weight: -0.25 },
    ]);
  });

  test("none has to be the first", () => {
    expect(queriesOf(undefined, { also: ["a", "b"] })).toEqual([text("a", 1), text("b", 1)]);
  });

  test("only a number behind the last ^ is a weight", () => {
    expect(queriesOf(undefined, { also: ["a^b", "x^2^1", "line\nend^2"] })).toEqual([
      text("a^b", 1),
      text("x^2", 1),
      text("line\nend", 2),
    ]);
  });
});

describe("what makes no sense is a usage error", () => {
  test.each<[string, string | undefined, Omit<SearchOptions, "k">, string]>([
    ["no query", undefined, {}, "one of them"],
    ["two queries", "a cat", { imageId: 12 }, "one of them"],
    ["a key and a vector", undefined, { key: "1", vector: packFloats([1]) }, "one of them"],
    ["an image among several", undefined, { imageId: 1, also: ["a"] }, "--image-id cannot"],
    ["a weight of one query", "a", { weight: 2 }, "--weight has a meaning together with"],
    ["a space without a vector", "a", { space: "s" }, "--space has a meaning"],
    ["a size without groups", "a", { groupSize: 2 }, "--group-size has a meaning"],
    ["a text's weight without a text search", "a", { textWeight: 2 }, "--text-weight has a meaning"],
    ["candidates of nothing", "a", { candidates: 2 }, "--candidates has a meaning"],
    ["a weight of nothing", "a", { also: ["^2"] }, "no query"],
    ["the weight 0", "a", { unlike: ["b^0"] }, "the weight 0"],
    ["two filters", "a", { where: "a = 1", whereJson: "{}" }, "not both"],
    ["a filter that is none", "a", { where: "a = " }, "--where, column 5: expected a value behind ="],
    ["JSON that is none", "a", { whereJson: "{" }, "--where-json is no filter"],
    ["JSON that is no filter", "a", { whereJson: '{"eq": 1}' }, "--where-json is no filter"],
    ["a field that is none", "a", { groupBy: "a b" }, "--group-by, column 3"],
  ])("%s", (_, query, options, message) => {
    expect(() => toRequest(query, { k: 1, ...options })).toThrow(
      expect.objectContaining({ exitCode: 2, message: expect.stringContaining(message) }),
    );
  });
});

test("a mistake in a filter is shown under the expression", () => {
  expect(() => toRequest("a", { k: 1, where: "größe =\n 🎵" })).toThrow(
    expect.objectContaining({
      message: '--where, column 10: "🎵" means nothing here',
      remedy: `größe =  🎵\n  ${" ".repeat(9)}^`,
    }),
  );
});

test("recall that is asked for, and how far behind a replica may be", () => {
  expect(toRequest("rain", { k: 10, recallTarget: 0.99, maxStaleness: 1_500 })).toMatchObject({
    recallTarget: 0.99,
    maxStaleness: { seconds: 1n, nanos: 500_000_000 },
  });
  const plain = toRequest("rain", { k: 10 });
  expect(plain).not.toHaveProperty("recallTarget");
  expect(plain).not.toHaveProperty("maxStaleness");
});
