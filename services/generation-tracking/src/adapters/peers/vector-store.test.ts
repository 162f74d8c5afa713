import type { ServiceImpl } from "@connectrpc/connect";
import { expect, test } from "@jest/globals";
import {
  ImageService,
  SearchMethod,
  SearchService,
  type SearchRequest,
} from "@kindred/contracts/vector-store/v1";
import { KindredError } from "@kindred/errors";
import { createInMemoryTransport } from "@kindred/rpc";
import { errorOf, silentLogger } from "@kindred/testing";
import { exampleSource } from "./vector-store.ts";

function sourceOver(service: {
  search?: ServiceImpl<typeof SearchService>["search"];
  getImage?: ServiceImpl<typeof ImageService>["getImage"];
}) {
  const transport = createInMemoryTransport(
    (router) => {
      router.service(SearchService, { ...(service.search && { search: service.search }) });
      router.service(ImageService, { ...(service.getImage && { getImage: service.getImage }) });
    },
    { logger: silentLogger() },
  );
  return exampleSource(transport);
}

const query = { text: "a kite", k: 7, threshold: undefined, exact: false };

test("asks for what was recorded, and says by rank what was found and how", async () => {
  const asked: SearchRequest[] = [];
  const source = sourceOver({
    search: (request) => {
      asked.push(request);
      return {
        hits: [
          {
            image: { id: 5n, imagePath: "5.png", description: "a toy" },
            metadata: { text: "a red kite" },
            similarity: 0.9,
          },
          {
            image: { id: 3n, imagePath: "3.png", description: "a toy" },
            metadata: { text: 7 },
            similarity: 0.5,
          },
        ],
        plan: {
          method: SearchMethod.EXACT_FALLBACK,
          indexName: "idx",
          efSearch: 40,
          spaceId: "space",
          expectedRecall: 0.98,
        },
      };
    },
  });
  expect(await source.retrieve({ ...query, threshold: 0.25, exact: true }, {})).toEqual({
    examples: [
      { imageId: 5n, imagePath: "5.png", caption: "a red kite", similarity: 0.9, rank: 1 },
      { imageId: 3n, imagePath: "3.png", caption: "a toy", similarity: 0.5, rank: 2 },
    ],
    retrieval: {
      query: "a kite",
      k: 7,
      threshold: 0.25,
      spaceId: "space",
      method: "exact_fallback",
      indexName: "idx",
      efSearch: 40,
      probes: 0,
      expectedRecall: 0.98,
    },
  });
  await source.retrieve({ ...query, threshold: 0 }, {});
  expect(asked).toMatchObject([
    { query: { case: "text", value: "a kite" }, k: 7, threshold: 0.25, exact: true, collection: "" },
    { threshold: 0, exact: false },
  ]);
  await source.retrieve(query, {});
  expect(asked[2]?.threshold).toBeUndefined();
});

test("finds images by their ids, and by their paths where they have none", async () => {
  const asked: unknown[] = [];
  const source = sourceOver({
    getImage: ({ key }) => {
      asked.push(key.value);
      if (key.value === 5n || key.value === "5.png") return { image: { id: 5n } };
      throw new KindredError("not-found", "there is no such image");
    },
  });
  expect(await source.hasImage({ imageId: 5n, imagePath: "4.png" }, {})).toBe(true);
  expect(await source.hasImage({ imageId: 4n, imagePath: "5.png" }, {})).toBe(false);
  expect(await source.hasImage({ imageId: 0n, imagePath: "5.png" }, {})).toBe(true);
  expect(await source.hasImage({ imageId: 0n, imagePath: "" }, {})).toBe(false);
  expect(asked).toEqual([5n, 4n, "5.png"]);
});

test("says that it is the vector store that is away, and when to ask again", async () => {
  const source = sourceOver({
    search: () => {
      throw new KindredError("unavailable", "nobody there");
    },
    getImage: () => {
      throw new KindredError("unavailable", "nobody there");
    },
  });
  for (const call of [source.retrieve(query, {}), source.hasImage({ imageId: 1n, imagePath: "" }, {})]) {
    const error = await errorOf(call);
    expect(error).toMatchObject({ kind: "unavailable", retryAfterMs: 1000 });
    expect(error.message).toContain("the vector store cannot be asked");
  }
});

test("what the vector store refuses is no fault of the caller's fields", async () => {
  const source = sourceOver({
    search: () => {
      throw new KindredError("invalid-argument", "text must not be empty", {
        violations: [{ field: "text", description: "must not be empty" }],
      });
    },
  });
  const error = await errorOf(source.retrieve(query, {}));
  expect(error).toMatchObject({ kind: "failed-precondition", violations: [] });
  expect(error.message).toContain("text must not be empty");
});

test("a caller that goes away ends the call", async () => {
  const gone = AbortSignal.abort(new Error("gone"));
  const source = sourceOver({ search: () => ({}) });
  await expect(source.retrieve(query, { signal: gone })).rejects.toMatchObject({ kind: "cancelled" });
});
