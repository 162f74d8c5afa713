import { PassThrough } from "node:stream";
import { create } from "@bufbuild/protobuf";
import { describe, expect, test } from "@jest/globals";
import { Metric, SearchMethod, SearchResponseSchema } from "@kindred/contracts/vector-store/v1";
import { createTerminal } from "../terminal/terminal.ts";
import { captionOf, renderSearch, toRequest } from "./search.ts";

const terminal = createTerminal({ stdout: new PassThrough(), stderr: new PassThrough(), env: {} });

describe("the request", () => {
  test("a text, with what was not given left to the store", () => {
    expect(toRequest("a cat", { k: 10, metric: "cosine" })).toEqual({
      query: { case: "text", value: "a cat" },
      k: 10,
      metric: Metric.COSINE,
      filter: { modelType: "", embeddingType: "", sourceDataset: "" },
      exact: false,
      efSearch: 0,
      hitPerEmbedding: false,
    });
  });

  test("an image, and every option", () => {
    const options = {
      k: 3,
      imageId: 12,
      threshold: 0,
      metric: "inner-product" as const,
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
      hitPerEmbedding: true,
    });
  });

  test.each([
    ["neither", undefined, undefined],
    ["both", "a cat", 12],
  ])("%s is a usage error", (_, query, imageId) => {
    const options = { k: 1, metric: "cosine" as const, ...(imageId !== undefined && { imageId }) };
    expect(() => toRequest(query, options)).toThrow(expect.objectContaining({ exitCode: 2 }));
  });
});

describe("the hits", () => {
  const hit = (id: bigint, text: string | undefined, description: string): object => ({
    image: { id, imagePath: `${id}.png`, description },
    similarity: 0.87654,
    metadata: text === undefined ? {} : { text },
  });

  test("rank, similarity, path, caption, and how they were found", () => {
    const reply = create(SearchResponseSchema, {
      hits: [hit(1n, "A cat sleeps.", "first caption"), hit(2n, undefined, "A dog runs.")],
      plan: { method: SearchMethod.HNSW, indexName: "embeddings_hnsw", efSearch: 200, complete: true },
      timings: { embed: { nanos: 5_000_000 }, database: { nanos: 2_500_000 } },
    });
    expect(renderSearch(terminal, reply, 9.4)).toBe(
      [
        " #  similarity  image_path  caption",
        " 1      0.8765  1.png       A cat sleeps.",
        " 2      0.8765  2.png       A dog runs.",
        " 2 hits · HNSW index embeddings_hnsw, ef_search 200 · 9.4 ms (embed 5 ms, database 2.5 ms)",
      ].join("\n"),
    );
  });

  test("none, and an answer that is not complete", () => {
    const reply = create(SearchResponseSchema, { plan: { method: SearchMethod.EXACT, complete: false } });
    expect(renderSearch(terminal, reply, 20)).toBe(
      " no picture was found\n 0 hits · exact: every row compared · 20 ms · there may be more hits than these",
    );
  });

  test("the caption is the text that was nearest, else the description", () => {
    const { hits } = create(SearchResponseSchema, { hits: [hit(1n, "near", "d"), hit(2n, undefined, "d")] });
    expect(hits.map(captionOf)).toEqual(["near", "d"]);
  });
});
