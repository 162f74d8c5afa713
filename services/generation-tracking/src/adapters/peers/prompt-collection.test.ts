import { toJson } from "@bufbuild/protobuf";
import type { ServiceImpl } from "@connectrpc/connect";
import { describe, expect, test } from "@jest/globals";
import {
  CollectionService,
  ConflictPolicy,
  BadRowPolicy,
  FilterSchema,
  SearchService,
  VectorService,
} from "@kindred/contracts/vector-store/v1";
import { KindredError } from "@kindred/errors";
import { createInMemoryTransport } from "@kindred/rpc";
import { silentLogger } from "@kindred/testing";
import { promptCollection } from "./prompt-collection.ts";

type Methods = Partial<ServiceImpl<typeof CollectionService>> &
  Partial<ServiceImpl<typeof VectorService>> &
  Partial<ServiceImpl<typeof SearchService>>;

function collectionOf(methods: Methods) {
  const transport = createInMemoryTransport(
    (router) => {
      router.service(CollectionService, methods);
      router.service(VectorService, methods);
      router.service(SearchService, methods);
    },
    { logger: silentLogger() },
  );
  return promptCollection(transport, "prompts");
}

describe("the collection of prompts", () => {
  test("is made in the space that is served; one that is there stays", async () => {
    const asked: unknown[] = [];
    const made = collectionOf({
      createCollection: ({ name, servedSpace, textSearchConfig }) => {
        asked.push({ name, servedSpace, textSearchConfig });
        if (asked.length > 1) throw new KindredError("already-exists", "the name is taken");
        return {};
      },
    });
    await made.create({});
    await made.create({});
    const request = { name: "prompts", servedSpace: true, textSearchConfig: "" };
    expect(asked).toEqual([request, request]);
    const away = collectionOf({
      createCollection: () => {
        throw new KindredError("unavailable", "nobody embeds");
      },
    });
    await expect(away.create({})).rejects.toMatchObject({ kind: "unavailable" });
  });

  test("gets prompts under their generations' ids, and says which it does not take", async () => {
    const asked: unknown[] = [];
    const collection = collectionOf({
      upsert: ({ collection: name, items, badRows, onConflict }) => {
        asked.push({ name, items, badRows, onConflict });
        return { rejected: [{ position: 1, key: "9007199254740993", reason: "texts must not be empty" }] };
      },
    });
    const refused = await collection.store(
      [
        { generationId: 7n, text: "a kite", createdAtMicros: 1_750_000_000_000_001n },
        { generationId: 2n ** 53n + 1n, text: "", createdAtMicros: -1n },
        { generationId: 8n, text: "a boat", createdAtMicros: undefined },
      ],
      {},
    );
    expect(refused).toEqual([{ generationId: 2n ** 53n + 1n, reason: "texts must not be empty" }]);
    expect(asked).toMatchObject([
      {
        name: "prompts",
        badRows: BadRowPolicy.SKIP_ROW,
        onConflict: ConflictPolicy.REPLACE,
        items: {
          keys: ["7", "9007199254740993", "8"],
          texts: ["a kite", "", "a boat"],
          metadata: [
            { generation_id: "7", created_at: "2025-06-15T15:06:40.000001Z" },
            { generation_id: "9007199254740993", created_at: "1969-12-31T23:59:59.999999Z" },
            { generation_id: "8" },
          ],
        },
      },
    ]);
  });

  test("forgets prompts by their keys", async () => {
    const asked: unknown[] = [];
    const collection = collectionOf({
      deleteItems: ({ which }) => {
        asked.push(which.case === "keys" ? which.value.keys : which.case);
        return { deleted: 1n };
      },
    });
    await collection.remove([7n, 8n], {});
    expect(asked).toEqual([["7", "8"]]);
  });

  test("is searched as a whole by its index, among some by comparing each; other keys are nobody's", async () => {
    const asked: unknown[] = [];
    const collection = collectionOf({
      search: ({ query, k, offset, threshold, where, exact }) => {
        asked.push({ query, k, offset, threshold, exact, where: where && toJson(FilterSchema, where) });
        return {
          hits: [
            { key: "8", similarity: 0.9 },
            { key: "mine", similarity: 0.8 },
            { key: "9223372036854775808", similarity: 0.7 },
            { key: "7", similarity: 0.5 },
          ],
        };
      },
    });
    const near = { text: "wind", k: 3, offset: 5, threshold: 0.25, among: undefined };
    expect(await collection.nearest(near, {})).toEqual([
      { generationId: 8n, similarity: 0.9 },
      { generationId: 7n, similarity: 0.5 },
    ]);
    await collection.nearest({ text: "wind", k: 3, offset: 0, threshold: undefined, among: [7n] }, {});
    const query = { case: "text", value: "wind" };
    expect(asked).toEqual([
      { query, k: 3, offset: 5, threshold: 0.25, exact: false, where: undefined },
      {
        query,
        k: 3,
        offset: 0,
        threshold: undefined,
        exact: true,
        where: { in: { field: { segments: ["generation_id"] }, values: [{ text: "7" }] } },
      },
    ]);
  });

  test("says that it cannot be searched while the vector store is away", async () => {
    const collection = collectionOf({
      search: () => {
        throw new KindredError("unavailable", "nobody there");
      },
    });
    const near = { text: "wind", k: 3, offset: 0, threshold: undefined, among: undefined };
    await expect(collection.nearest(near, {})).rejects.toMatchObject({
      kind: "unavailable",
      message: "prompts cannot be searched: nobody there",
      retryAfterMs: 1000,
    });
  });
});
