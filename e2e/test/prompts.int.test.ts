import { createClient, type Client } from "@connectrpc/connect";
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { GenerationService, GenerationStatus } from "@kindred/contracts/generation-tracking/v1";
import { CollectionService, VectorService, type Item } from "@kindred/contracts/vector-store/v1";
import { openChannel, type Channel } from "@kindred/rpc";
import { startStack, type Stack } from "@kindred/testing";

const RECORDS = 1_000;
const CLIENTS = 8;
/** Records after which the vector store is killed. */
const KILLS = [100, 350, 700];

const SUBJECTS = ["a red kite", "an old lighthouse", "two dogs", "a steam train", "a bowl of cherries"];
const PLACES = ["over a beach", "in the fog", "on a frozen lake", "at a night market", "beside a canal"];
const STYLES = ["as a watercolour", "as a woodcut", "in soft evening light", "seen from above"];

/** All different, of ordinary words. */
function promptOf(i: number): string {
  const pick = (words: readonly string[], step: number): string =>
    words[Math.floor(i / step) % words.length] as string;
  return `${pick(SUBJECTS, 1)} ${pick(PLACES, 5)} ${pick(STYLES, 25)}, number ${i}`;
}

let stack: Stack;
let tracking: Channel;
let vectorStore: Channel;
let generations: Client<typeof GenerationService>;
beforeAll(async () => {
  stack = await startStack({
    services: ["embedding", "vector-store", "generation-tracking"],
    env: { PROMPT_OUTBOX_INTERVAL: "50ms" },
  });
  tracking = openChannel({ address: stack.addresses["generation-tracking"] as string });
  vectorStore = openChannel({ address: stack.addresses["vector-store"] as string });
  generations = createClient(GenerationService, tracking.transport);
}, 300_000);
afterAll(async () => {
  await tracking?.[Symbol.asyncDispose]();
  await vectorStore?.[Symbol.asyncDispose]();
  await stack?.[Symbol.asyncDispose]();
});

async function itemsOfPrompts(): Promise<Item[]> {
  const client = createClient(VectorService, vectorStore.transport);
  const items: Item[] = [];
  for (let pageToken = ""; ;) {
    const page = await client.scroll({ collection: "prompts", pageSize: 1_000, pageToken });
    items.push(...page.items);
    if (page.nextPageToken === "") return items;
    pageToken = page.nextPageToken;
  }
}

async function allFed(): Promise<void> {
  for (;;) {
    const { pending } = await generations.searchPrompts({ query: "anything", k: 1 });
    if (pending === 0n) return;
    await new Promise((resolve) => setTimeout(resolve, 200));
  }
}

const prompts = new Map<string, string>();

test("the vector store is killed and restarted during 1,000 records: no prompt is lost, and none is there twice", async () => {
  const restarts: Promise<void>[] = [];
  let begun = 0;
  const record = async (): Promise<void> => {
    for (let i = begun++; i < RECORDS; i = begun++) {
      // Recording goes on meanwhile: nobody waits for the restart.
      if (KILLS.includes(i)) restarts.push(stack.killAndAwaitRestart("vector-store"));
      const { generation } = await generations.recordGeneration({
        generation: {
          prompt: promptOf(i),
          status: i % 4 === 0 ? GenerationStatus.FAILED : GenerationStatus.COMPLETED,
          batchId: `batch-${i % 100}`,
        },
        idempotencyKey: `prompt-${i}`,
      });
      prompts.set(String(generation?.id), promptOf(i));
      // So slow that there is something under way whenever it is killed.
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  };
  await Promise.all(Array.from({ length: CLIENTS }, record));
  await Promise.all(restarts);
  expect(restarts).toHaveLength(KILLS.length);
  expect(prompts.size).toBe(RECORDS);

  await allFed();
  const items = await itemsOfPrompts();
  expect(items).toHaveLength(RECORDS);
  expect(new Map(items.map(({ key, document }) => [key, document]))).toEqual(prompts);
  expect(items[0]?.metadata).toEqual({
    generation_id: items[0]?.key,
    created_at: expect.stringMatching(/Z$/),
  });
  const collections = createClient(CollectionService, vectorStore.transport);
  const { rows } = await collections.getCollectionStatistics({ name: "prompts", exact: true });
  expect(rows).toBe(BigInt(RECORDS));
}, 600_000);

test("prompts are found by what they mean, and only those that pass a filter", async () => {
  const found = await generations.searchPrompts({ query: "a locomotive in winter on thick ice", k: 5 });
  expect(found.hits).toHaveLength(5);
  expect(found).toMatchObject({ pending: 0n, incomplete: false });
  for (const { generation } of found.hits)
    expect(generation?.prompt).toMatch(/^a steam train on a frozen lake/);
  const similarities = found.hits.map(({ similarity }) => similarity);
  expect(similarities).toEqual(similarities.toSorted((a, b) => b - a));

  // Ten generations: each of them is compared.
  const batch = await generations.searchPrompts({
    query: "a locomotive in winter on thick ice",
    k: 20,
    filter: { batchId: "batch-7" },
  });
  expect(batch.hits).toHaveLength(10);
  expect(batch.hits.every(({ generation }) => generation?.batchId === "batch-7")).toBe(true);
  expect(batch.incomplete).toBe(false);

  const failed = await generations.searchPrompts({
    query: "a locomotive in winter on thick ice",
    k: 5,
    filter: { status: [GenerationStatus.FAILED] },
  });
  expect(failed.hits.map(({ generation }) => generation?.status)).toEqual(
    Array.from({ length: 5 }, () => GenerationStatus.FAILED),
  );
  const none = await generations.searchPrompts({ query: "a locomotive", threshold: 0.999 });
  expect(none).toMatchObject({ hits: [], incomplete: false });
}, 120_000);

test("prompts of deleted generations go", async () => {
  const ids = [...prompts.keys()].slice(0, 5);
  await generations.deleteGenerations({ ids: ids.map(BigInt) });
  for (const id of ids) prompts.delete(id);
  let items = await itemsOfPrompts();
  while (items.length > prompts.size) {
    await new Promise((resolve) => setTimeout(resolve, 200));
    items = await itemsOfPrompts();
  }
  expect(new Set(items.map(({ key }) => key))).toEqual(new Set(prompts.keys()));
}, 120_000);

test("a collection that somebody deletes is made again, with all prompts", async () => {
  const collections = createClient(CollectionService, vectorStore.transport);
  await collections.deleteCollection({ name: "prompts" });
  const { hits } = await generations.searchPrompts({ query: "two dogs" });
  expect(hits).toEqual([]);
  // The search has told that it is missing.
  while ((await generations.searchPrompts({ query: "two dogs" })).hits.length < 10)
    await new Promise((resolve) => setTimeout(resolve, 200));
  await allFed();
  expect(await itemsOfPrompts()).toHaveLength(prompts.size);
}, 300_000);
