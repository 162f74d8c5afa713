import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { SearchMethod, type SearchResponse } from "@kindred/contracts/vector-store/v1";
import fc from "fast-check";
import type { Filter } from "../src/domain/filter.ts";
import type { JsonObject } from "../src/domain/image.ts";
import { filtersOn, texts as anyText, type Field } from "./arbitrary-filters.ts";
import { wordVector } from "./fake-embedding.ts";
import { toFilterMessage } from "./filter-message.ts";
import { openFixture, streamOf, type Fixture } from "./fixture.ts";
import { randomNumbers } from "./json-collections.ts";
import { candidates, nearest, type ModelHit, type ModelItem, type ModelQuery } from "./search-model.ts";

// Random searches of an images catalogue against a model that looks at every embedding.

const SEED = 20_262;
const IMAGES = 60;
const WORDS = ["cat", "dog", "tree", "stone", "river", "lamp"];
const TYPES = ["caption", "title"];
const DATASETS = ["coco", "flickr", ""];

interface Embedding extends ModelItem {
  imageId: bigint;
}

let fixture: Fixture;
let embeddings: Embedding[];

beforeAll(async () => {
  fixture = await openFixture();
  const random = randomNumbers(SEED);
  const one = (from: readonly string[]): string => from[Math.floor(random() * from.length)] as string;
  const images = Array.from({ length: IMAGES }, (_, i) => ({
    image: {
      imagePath: `${i}.png`,
      sourceDataset: one(DATASETS),
      tags: [one(WORDS), one(WORDS)],
      width: 1 + (i % 5),
    },
    // Few words, so that many embeddings are the same.
    embeddings: Array.from({ length: Math.floor(4 * random()) }, (__, e) => ({
      key: String(e),
      embeddingType: one(TYPES),
      source: { case: "text" as const, value: `${one(WORDS)} ${one(WORDS)}` },
    })),
  }));
  await fixture.images.batchAddImages(
    streamOf({ images: images.filter((image) => image.embeddings.length > 0) }),
  );
  const { rows } = await fixture.db.query<{ id: string; image_id: string; fields: JsonObject; text: string }>(
    `SELECT e.id, e.image_id, e.embedding_metadata ->> 'text' AS text,
            jsonb_build_object('embedding_type', e.embedding_type, 'embedding_key', e.embedding_key, 'metadata', e.embedding_metadata,
              'source_dataset', i.source_dataset, 'tags', i.tags, 'width', i.width, 'image_path', i.image_path, 'image_id', i.id) AS fields
       FROM embeddings e JOIN images i ON i.id = e.image_id ORDER BY e.image_id, e.id`,
  );
  embeddings = rows.map(({ id, image_id: imageId, fields, text }) => ({
    key: id,
    imageId: BigInt(imageId),
    numbers: [...wordVector(text)],
    fields,
  }));
}, 60_000);
afterAll(async () => {
  await fixture?.[Symbol.asyncDispose]();
});

const values = (...found: string[]) => fc.oneof(fc.constantFrom(...found), anyText);
const column = (name: string, scalars: Field["scalars"]): Field => ({
  path: fc.constant([name]),
  scalars,
  texts: values("coco", "d"),
  numbers: fc.integer({ min: 0, max: 6 }),
  prefix: false,
});
const FILTERS = filtersOn([
  column("embedding_type", values(...TYPES)),
  column("source_dataset", values(...DATASETS)),
  column("tags", values(...WORDS)),
  column("width", fc.integer({ min: 0, max: 6 })),
  column("image_id", fc.integer({ min: 1, max: IMAGES })),
]);

const SEARCHES = fc.record({
  text: fc.tuple(fc.constantFrom(...WORDS), fc.constantFrom(...WORDS)).map((words) => words.join(" ")),
  image: fc.option(fc.nat(IMAGES), { nil: undefined, freq: 3 }),
  hitPerEmbedding: fc.boolean(),
  k: fc.integer({ min: 1, max: 30 }),
  offset: fc.oneof({ weight: 3, arbitrary: fc.constant(0) }, fc.nat(60)),
  filter: fc.option(FILTERS, { nil: undefined }),
  exact: fc.nat(3).map((n) => n === 0),
  efSearch: fc.constantFrom(0, 1, 40),
});

type Asked = typeof SEARCHES extends fc.Arbitrary<infer T> ? T : never;

async function run(asked: Asked): Promise<boolean> {
  const { hitPerEmbedding, k, offset, exact, efSearch } = asked;
  const asImage =
    asked.image === undefined ? undefined : embeddings[asked.image % embeddings.length]?.imageId;
  const first = embeddings.find(({ imageId }) => imageId === asImage);
  const itself: Filter = { kind: "not", filter: { kind: "eq", path: ["image_id"], value: Number(asImage) } };
  const given: Filter[] = [...(asked.filter ? [asked.filter] : []), ...(first ? [itself] : [])];
  const query: ModelQuery = {
    numbers: first?.numbers ?? [...wordVector(asked.text)],
    metric: "cosine",
    dimensions: 384,
    filter: { kind: "and", filters: given },
    excluded: new Set(),
    group: hitPerEmbedding ? undefined : { path: ["image_id"], size: 1 },
    threshold: undefined,
    k,
    offset,
  };
  const reply = await fixture.search.search({
    query: asImage === undefined ? { case: "text", value: asked.text } : { case: "imageId", value: asImage },
    k,
    offset,
    hitPerEmbedding,
    exact,
    efSearch,
    ...(asked.filter && { where: toFilterMessage(asked.filter) }),
  });
  const all = new Map(candidates(embeddings, query).map((hit) => [hit.item.key, hit]));
  check(reply, nearest(embeddings, query), all, query);
  return reply.plan?.method === SearchMethod.HNSW;
}

function check(
  { hits, plan }: SearchResponse,
  wanted: readonly ModelHit<Embedding>[],
  all: ReadonlyMap<string, ModelHit<Embedding>>,
  { group }: ModelQuery,
): void {
  expect(plan?.complete).toBe(true);
  // Also through the index: as many as there can be.
  expect(hits).toHaveLength(wanted.length);
  expect(new Set(hits.map(({ key, image }) => (group ? image?.id : key))).size).toBe(hits.length);
  for (const [i, hit] of hits.entries()) {
    const known = all.get(hit.key) as ModelHit<Embedding>;
    expect(known).toBeDefined();
    expect(hit.image?.id).toBe(known.item.imageId);
    expect(hit.embeddingId).toBe(BigInt(hit.key));
    expect(Math.abs(hit.distance - known.distance)).toBeLessThan(1e-5);
    expect(hit.distance).toBeGreaterThanOrEqual(hits[i - 1]?.distance ?? -1);
    if (plan?.method === SearchMethod.HNSW) continue;
    expect(Math.abs(hit.distance - (wanted[i]?.distance ?? Infinity))).toBeLessThan(1e-5);
    // Equal distances are equal vectors here; they come by image, then by embedding.
    const before = hits[i - 1];
    if (before?.distance !== hit.distance) continue;
    const [image, other] = [before.image?.id ?? 0n, hit.image?.id ?? 0n];
    expect(image < other || (image === other && before.embeddingId < hit.embeddingId)).toBe(true);
  }
}

test("random searches of the images catalogue give what a model gives, with an index and without", async () => {
  const property = fc.asyncProperty(SEARCHES, async (asked) => void (await run(asked)));
  await fc.assert(property, { seed: SEED, numRuns: 150, endOnFailure: true });
  await fixture.db.query("CREATE INDEX ON embeddings USING hnsw (embedding vector_cosine_ops)");
  fixture.store.forgetState();
  let scans = 0;
  const counted = fc.asyncProperty(SEARCHES, async (asked) => {
    if (await run(asked)) scans++;
  });
  await fc.assert(counted, { seed: SEED, numRuns: 250, endOnFailure: true });
  expect(scans).toBeGreaterThan(40);
}, 60_000);
