import { createClient } from "@connectrpc/connect";
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { EmbeddingService } from "@kindred/contracts/embedding/v1";
import { ModelCacheService } from "@kindred/contracts/generation-tracking/v1";
import { openChannel } from "@kindred/rpc";
import { startStack, type Stack } from "@kindred/testing";

let stack: Stack;

beforeAll(async () => {
  stack = await startStack({ services: ["embedding", "generation-tracking"] });
}, 300_000);
afterAll(async () => {
  await stack?.[Symbol.asyncDispose]();
});

test("the embedding service's models appear in generation-tracking's account of model caches by themselves", async () => {
  await using embedding = openChannel({ address: stack.addresses["embedding"] as string });
  await using tracking = openChannel({ address: stack.addresses["generation-tracking"] as string });
  const { models } = await createClient(EmbeddingService, embedding.transport).listModels({});
  const accounts = createClient(ModelCacheService, tracking.transport);
  const deadline = Date.now() + 60_000;
  let { entries } = await accounts.listModelCache({});
  while (entries.length === 0 && Date.now() < deadline) {
    await new Promise((resolve) => setTimeout(resolve, 200));
    ({ entries } = await accounts.listModelCache({}));
  }
  expect(entries).toMatchObject([
    {
      modelType: "text-embedding",
      modelName: "sentence-transformers/all-MiniLM-L6-v2",
      cachePath: models[0]?.cachePath,
      sizeMb: Number(models[0]?.cacheBytes) / 2 ** 20,
    },
  ]);
}, 90_000);
