import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { Metric, SearchMethod, type SearchResponse } from "@kindred/contracts/vector-store/v1";
import { KindredError } from "@kindred/errors";
import { packVectors } from "@kindred/rpc";
import { DIMENSIONS, SPACE, wordVector } from "./fake-embedding.ts";
import { errorOf, openFixture, type Fixture } from "./fixture.ts";

const THINGS = ["cat", "dog", "car", "boat", "tree", "house", "apple", "cloud", "river", "lamp"];
const DOINGS = ["sleeps", "runs", "shines", "falls", "waits", "grows", "turns", "sings"];
const PLACES = ["sofa", "street", "lake", "garden", "roof", "table", "forest", "beach", "bridge"];
const IMAGES = 1200;
const PER_IMAGE = 5;

/** Captions of one image share its thing and place, and differ in the rest. */
function captionsOf(i: number): string[] {
  return Array.from(
    { length: PER_IMAGE },
    (_, c) =>
      `${THINGS[i % 10]} ${PLACES[i % 9]} ${DOINGS[(i + c) % 8]} number${i} ${c % 2 === 0 ? "" : `word${c}`}`,
  );
}

interface Row {
  image: number;
  caption: number;
  vector: Float32Array;
}

let fixture: Fixture;
const rows: Row[] = Array.from({ length: IMAGES }, (_, image) =>
  captionsOf(image).map((text, caption) => ({ image, caption, vector: wordVector(text) })),
).flat();

const pathOf = (image: number): string => `image-${String(image).padStart(5, "0")}.png`;
/** One in two hundred and one in twenty. */
const datasetOf = (image: number): string =>
  image % 200 === 7 ? "rare" : image % 20 === 3 ? "some" : "most";

beforeAll(async () => {
  fixture = await openFixture();
  await fixture.images.batchAddImages(
    (async function* () {
      for (let start = 0; start < IMAGES; start += 400) {
        yield {
          images: Array.from({ length: 400 }, (_, i) => start + i).map((image) => ({
            image: { imagePath: pathOf(image), sourceDataset: datasetOf(image) },
            embeddings: captionsOf(image).map((value, c) => ({
              key: `c${c}`,
              source: { case: "text" as const, value },
              modelType: `model-${c}`,
              embeddingType: c === 0 ? "title" : "caption",
            })),
          })),
        };
      }
    })(),
  );
}, 120_000);
afterAll(async () => {
  await fixture?.[Symbol.asyncDispose]();
});

const DISTANCES = {
  [Metric.COSINE]: (a: Float32Array, b: Float32Array) => 1 - dot(a, b) / Math.sqrt(dot(a, a) * dot(b, b)),
  [Metric.L2]: (a: Float32Array, b: Float32Array) =>
    Math.hypot(...a.map((value, i) => value - (b[i] as number))),
  [Metric.INNER_PRODUCT]: (a: Float32Array, b: Float32Array) => -dot(a, b),
  [Metric.L1]: (a: Float32Array, b: Float32Array) =>
    a.reduce((sum, value, i) => sum + Math.abs(value - (b[i] as number)), 0),
};

function dot(a: Float32Array, b: Float32Array): number {
  return a.reduce((sum, value, i) => sum + value * (b[i] as number), 0);
}

/** The nearest images by computing every distance here: paths and distances. */
function nearestImages(
  query: Float32Array,
  k: number,
  keep: (row: Row) => boolean = () => true,
  metric: keyof typeof DISTANCES = Metric.COSINE,
): { path: string; distance: number }[] {
  const best = new Map<number, number>();
  for (const row of rows.filter(keep)) {
    const distance = DISTANCES[metric](query, row.vector);
    if (distance < (best.get(row.image) ?? Infinity)) best.set(row.image, distance);
  }
  return [...best]
    .map(([image, distance]) => ({ path: pathOf(image), distance }))
    .toSorted((a, b) => a.distance - b.distance || (a.path < b.path ? -1 : 1))
    .slice(0, k);
}

const pathsOf = (reply: SearchResponse): (string | undefined)[] =>
  reply.hits.map((hit) => hit.image?.imagePath);
const byText = (value: string) => ({ query: { case: "text" as const, value } });
const QUERIES = [
  "a cat on the sofa",
  "boat lake shines",
  "number77 apple",
  "the lamp falls on a roof",
  "word3 tree",
];

/** pgvector computes in single precision: what is nearly as far may come in any order. */
const PRECISION = 1e-5;

function expectSame(reply: SearchResponse, expected: { path: string; distance: number }[]): void {
  expect(reply.hits).toHaveLength(expected.length);
  for (const [i, hit] of reply.hits.entries()) {
    expect(Math.abs(hit.distance - (expected[i]?.distance as number))).toBeLessThan(PRECISION);
  }
  const last = expected.at(-1)?.distance ?? 0;
  const surely = expected.filter((hit) => hit.distance < last - PRECISION).map((hit) => hit.path);
  expect(pathsOf(reply)).toEqual(expect.arrayContaining(surely));
  expect(new Set(pathsOf(reply)).size).toBe(reply.hits.length);
}

describe("an exact search", () => {
  test.each(QUERIES)("finds the nearest distinct images: %s", async (text) => {
    for (const k of [1, 10, 300]) {
      const reply = await fixture.search.search({ ...byText(text), k });
      expect(reply.plan).toMatchObject({
        method: SearchMethod.EXACT,
        indexName: "",
        efSearch: 0,
        complete: true,
        spaceId: SPACE.id,
      });
      expectSame(reply, nearestImages(wordVector(text), k));
      for (const hit of reply.hits) expect(hit.similarity).toBeCloseTo(1 - hit.distance, 12);
    }
  });

  test("gives every image when k is larger than the catalogue", async () => {
    const reply = await fixture.search.search({
      ...byText("cat"),
      k: 1000,
      filter: { sourceDataset: "some" },
    });
    expect(reply.hits).toHaveLength(60);
    expect(reply.plan?.complete).toBe(true);
  });

  test.each([
    [Metric.COSINE, (d: number) => 1 - d],
    [Metric.L2, (d: number) => 1 / (1 + d)],
    [Metric.INNER_PRODUCT, (d: number) => -d],
    [Metric.L1, (d: number) => 1 / (1 + d)],
  ] as const)("measures by metric %s", async (metric, similarity) => {
    const query = wordVector("dog street runs").map((value) => value * 1.7);
    const reply = await fixture.search.search({
      query: { case: "vector", value: { data: packVectors(query), spaceId: SPACE.id } },
      metric,
      k: 7,
    });
    const expected = nearestImages(query, 7, undefined, metric);
    expect(reply.hits).toHaveLength(7);
    for (const [i, hit] of reply.hits.entries()) {
      expect(hit.distance).toBeCloseTo(expected[i]?.distance as number, 3);
      expect(hit.similarity).toBeCloseTo(similarity(hit.distance), 12);
    }
  });

  test("keeps what is similar enough", async () => {
    const all = await fixture.search.search({ ...byText("cat sofa"), k: 50 });
    const threshold = all.hits[20]?.similarity as number;
    const some = await fixture.search.search({ ...byText("cat sofa"), k: 50, threshold });
    const expected = all.hits.filter((hit) => hit.similarity >= threshold);
    expect(pathsOf(some)).toEqual(expected.map((hit) => hit.image?.imagePath));
    expect(expected.length).toBeGreaterThanOrEqual(21);
    expect(expected.length).toBeLessThan(50);
    expect((await fixture.search.search({ ...byText("cat sofa"), threshold: 0.9999 })).hits).toEqual([]);
  });

  test("gives a hit for each embedding when asked to", async () => {
    const text = captionsOf(42)[0] as string;
    const reply = await fixture.search.search({ ...byText(text), k: 100, hitPerEmbedding: true });
    expect(reply.hits[0]).toMatchObject({
      image: { imagePath: pathOf(42), embeddingCount: PER_IMAGE },
      metadata: { text },
    });
    const expected = rows
      .map((row) => DISTANCES[Metric.COSINE](wordVector(text), row.vector))
      .toSorted((a, b) => a - b);
    for (const [i, hit] of reply.hits.entries()) {
      expect(Math.abs(hit.distance - (expected[i] as number))).toBeLessThan(PRECISION);
    }
    expect(new Set(reply.hits.map((hit) => hit.embeddingId)).size).toBe(100);
    expect(new Set(pathsOf(reply)).size).toBeLessThan(100);
  });

  test("finds images like another, without the image itself", async () => {
    const { image } = await fixture.images.getImage({ key: { case: "imagePath", value: pathOf(100) } });
    const reply = await fixture.search.search({
      query: { case: "imageId", value: image?.id as bigint },
      k: 10,
    });
    const expected = nearestImages(wordVector(captionsOf(100)[0] as string), 10, (row) => row.image !== 100);
    expectSame(reply, expected);
    expect(pathsOf(reply)).not.toContain(pathOf(100));
  });

  test("orders equal hits by image, then embedding", async () => {
    const reply = await fixture.search.search({
      query: { case: "vector", value: { data: packVectors(wordVector("zebra")) } },
      k: 1000,
    });
    const keys = reply.hits.map((hit) => [hit.distance, hit.image?.id, hit.embeddingId] as const);
    const sorted = keys.toSorted(
      (a, b) => a[0] - b[0] || Number((a[1] as bigint) - (b[1] as bigint)) || Number(a[2] - b[2]),
    );
    expect(keys).toEqual(sorted);
  });

  test.each([
    ["dataset", { sourceDataset: "rare" }, (row: Row) => datasetOf(row.image) === "rare"],
    ["embedding type", { embeddingType: "title" }, (row: Row) => row.caption === 0],
    ["model type", { modelType: "model-3" }, (row: Row) => row.caption === 3],
    [
      "all of them",
      { sourceDataset: "some", embeddingType: "caption", modelType: "model-1" },
      (row: Row) => datasetOf(row.image) === "some" && row.caption === 1,
    ],
  ])("filters by %s", async (_, filter, keep) => {
    const reply = await fixture.search.search({ ...byText("river bridge"), filter, k: 20 });
    expectSame(reply, nearestImages(wordVector("river bridge"), 20, keep));
    expect(reply.plan?.method).toBe(SearchMethod.EXACT);
  });
});

describe("a search", () => {
  test("refuses a vector of another space, naming both", async () => {
    const spaceId = "other:model@2:384:cls:l2:512";
    const vector = { data: packVectors(wordVector("cat")), spaceId };
    const error = await errorOf(fixture.search.search({ query: { case: "vector", value: vector } }));
    expect(error.kind).toBe("failed-precondition");
    expect(error.message).toContain(spaceId);
    expect(error.message).toContain(SPACE.id);
  });

  test("by text is unavailable without the embedding service; by vector and image it goes on", async () => {
    fixture.embedding.before = () =>
      Promise.reject(new KindredError("unavailable", "gone", { retryAfterMs: 5 }));
    try {
      expect(await errorOf(fixture.search.search(byText("cat")))).toMatchObject({
        kind: "unavailable",
        retryAfterMs: 5,
      });
      const data = packVectors(wordVector("cat"));
      expect((await fixture.search.search({ query: { case: "vector", value: { data } } })).hits).toHaveLength(
        10,
      );
    } finally {
      fixture.embedding.reset();
    }
  });

  test("by an image needs one that has an embedding", async () => {
    const { image } = await fixture.images.addImage({ image: { imagePath: "bare.png" } });
    const id = image?.id as bigint;
    expect((await errorOf(fixture.search.search({ query: { case: "imageId", value: id } }))).kind).toBe(
      "failed-precondition",
    );
    await fixture.images.deleteImage({ id });
    expect((await errorOf(fixture.search.search({ query: { case: "imageId", value: id } }))).kind).toBe(
      "not-found",
    );
  });
});

describe("with the HNSW index", () => {
  beforeAll(async () => {
    const { built } = await fixture.index.ensureIndex({});
    expect(built).toBe(true);
  }, 120_000);

  test("finds nearly all of the nearest images, and full k distinct ones", async () => {
    for (const k of [1, 10, 100, 1000]) {
      let found = 0;
      for (const text of QUERIES) {
        const reply = await fixture.search.search({ ...byText(text), k });
        expect(reply.plan).toMatchObject({
          method: SearchMethod.HNSW,
          indexName: "embeddings_embedding_hnsw_idx",
          complete: true,
        });
        // As many as a scan has to give; how many more is tuned.
        expect(reply.plan?.efSearch).toBeGreaterThanOrEqual(k);
        expect(new Set(pathsOf(reply)).size).toBe(k);
        const expected = new Set(nearestImages(wordVector(text), k).map((hit) => hit.path));
        found += pathsOf(reply).filter((path) => expected.has(path as string)).length;
      }
      // Ties at the end of the list may be broken otherwise.
      expect(found / (k * QUERIES.length)).toBeGreaterThan(0.9);
    }
  });

  test("an exact search and other metrics do not use it", async () => {
    for (const how of [{ exact: true }, { metric: Metric.L2 }, { metric: Metric.INNER_PRODUCT }]) {
      const reply = await fixture.search.search({ ...byText("cat"), ...how });
      expect(reply.plan?.method).toBe(SearchMethod.EXACT);
    }
  });

  test.each([
    ["one in twenty", { sourceDataset: "some" }, (row: Row) => datasetOf(row.image) === "some", 60],
    ["one in two hundred", { sourceDataset: "rare" }, (row: Row) => datasetOf(row.image) === "rare", 6],
    [
      "one in a hundred",
      { sourceDataset: "some", embeddingType: "title" },
      (row: Row) => datasetOf(row.image) === "some" && row.caption === 0,
      60,
    ],
    ["most of them", { sourceDataset: "most" }, (row: Row) => datasetOf(row.image) === "most", 1134],
    ["none", { sourceDataset: "no such" }, () => false, 0],
  ])("a filter that passes %s gives full k, whatever the scan", async (_, filter, keep, matching) => {
    for (const k of [5, 50]) {
      const expected = nearestImages(wordVector("cloud forest"), k, keep);
      expect(expected).toHaveLength(Math.min(k, matching));
      const chosen = await fixture.search.search({ ...byText("cloud forest"), filter, k });
      expect(chosen.hits).toHaveLength(expected.length);
      expect(chosen.plan?.complete).toBe(true);
      if (matching < 200) expectSame(chosen, expected);
      // Insisting on the index with a small ef_search: the scan goes on, and falls back when it comes out short.
      const insisted = await fixture.search.search({ ...byText("cloud forest"), filter, k, efSearch: 1 });
      expect(insisted.hits).toHaveLength(expected.length);
      expect(insisted.plan?.method).toBe(
        expected.length < k ? SearchMethod.EXACT_FALLBACK : SearchMethod.HNSW,
      );
    }
  });

  test("an image with very many embeddings does not crowd out the others", async () => {
    const { image } = await fixture.images.addImage({ image: { imagePath: "crowd.png" } });
    const id = image?.id as bigint;
    for (let batch = 0; batch < 2; batch++) {
      await fixture.images.addEmbeddings({
        imageId: id,
        embeddings: Array.from({ length: 300 }, (_, i) => ({
          key: `${batch}-${i}`,
          source: {
            case: "text" as const,
            value: `zebra zebra zebra zebra zebra crossing${batch * 300 + i}`,
          },
        })),
      });
    }
    for (const exact of [true, false]) {
      const reply = await fixture.search.search({ ...byText("zebra"), exact });
      expect(reply.hits).toHaveLength(10);
      expect(new Set(pathsOf(reply)).size).toBe(10);
      expect(pathsOf(reply)[0]).toBe("crowd.png");
      expect(reply.hits[0]?.image?.embeddingCount).toBe(600);
    }
    expect(await fixture.images.deleteImage({ id })).toMatchObject({ embeddingsDeleted: 600 });
  });

  test("PostgreSQL scans the index, and scans everything for an exact search", async () => {
    const explain = async (exact: boolean, filter: { modelType?: string; sourceDataset?: string }) => {
      const asked = { ...byText("cat"), filter, exact, efSearch: exact ? 0 : 200 };
      return await fixture.search.explain({ search: asked });
    };
    for (const filter of [
      {},
      { modelType: "model-1" },
      { sourceDataset: "most" },
      { sourceDataset: "rare" },
    ]) {
      const scanned = await explain(false, filter);
      expect(scanned.postgresPlan).toContain("Index Scan using embeddings_embedding_hnsw_idx");
      expect(scanned.settings).toMatchObject({ "hnsw.ef_search": "200" });
      expect((await explain(true, filter)).postgresPlan).not.toContain("hnsw");
    }
  });

  test("keeps up with what is added and deleted", async () => {
    const { image } = await fixture.images.addImageWithEmbeddings({
      image: { imagePath: "new.png", description: "a xylophone in a quarry" },
    });
    const found = await fixture.search.search({ ...byText("a xylophone in a quarry"), k: 1 });
    expect(found.hits[0]?.similarity).toBeCloseTo(1, 5);
    expect(pathsOf(found)).toEqual(["new.png"]);
    await fixture.images.deleteImage({ id: image?.id as bigint });
    const after = await fixture.search.search({ ...byText("a xylophone in a quarry"), k: 10 });
    expect(pathsOf(after)).not.toContain("new.png");
    expect(after.hits).toHaveLength(10);
  });
});

test("a query vector is not what the wire's alignment makes of it", async () => {
  const packed = packVectors(wordVector("lamp roof"));
  const shifted = new Uint8Array(packed.length + 1).subarray(1);
  shifted.set(packed);
  const [a, b] = await Promise.all(
    [packed, shifted].map((data) =>
      fixture.search.search({ query: { case: "vector", value: { data } }, exact: true }),
    ),
  );
  expect(packed.byteLength).toBe(4 * DIMENSIONS);
  expect(pathsOf(a as SearchResponse)).toEqual(pathsOf(b as SearchResponse));
});
