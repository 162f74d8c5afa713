import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import type { MessageInitShape } from "@bufbuild/protobuf";
import {
  ElementType,
  Metric,
  SearchMethod,
  type SearchHit,
  type SearchRequestSchema,
} from "@kindred/contracts/vector-store/v1";
import { openFixture, type Fixture } from "./fixture.ts";
import { hasVector } from "./items-fixture.ts";
import { clusteredItems, packItems, type ClusteredItem } from "./clustered-items.ts";

type Request = Exclude<MessageInitShape<typeof SearchRequestSchema>, { $typeName: string }>;
type Stored = "vector" | "halfvec" | "bit";
type Quantization = "none" | "halfvec" | "binary";

const ITEMS = 3000;
/** Where an index takes ten times as long to build. */
const FEW_ITEMS = 600;
const DIMENSIONS = 64;
const QUERIES = 15;
const K = 10;
const INDEX = "every_index_idx";
/** Hits are as near as they are said to be, whatever the index holds of them. */
const EXACTNESS = 5;

const ELEMENT_TYPES: Record<Stored, ElementType> = {
  vector: ElementType.VECTOR,
  halfvec: ElementType.HALFVEC,
  bit: ElementType.BIT,
};
const METRICS: Record<string, Metric> = {
  cosine: Metric.COSINE,
  l2: Metric.L2,
  ip: Metric.INNER_PRODUCT,
  l1: Metric.L1,
  hamming: Metric.HAMMING,
  jaccard: Metric.JACCARD,
};

interface Kind {
  stored: Stored;
  method: "hnsw" | "ivfflat" | "diskann";
  quantization: Quantization;
  metric: string;
}

const kinds = (
  stored: Stored,
  method: Kind["method"],
  quantization: Quantization,
  ...metrics: string[]
): Kind[] => metrics.map((metric) => ({ stored, method, quantization, metric }));

/** All that pgvector and vectorscale have operator classes for. */
const KINDS: Kind[] = [
  ...kinds("vector", "hnsw", "none", "cosine", "l2", "ip", "l1"),
  ...kinds("vector", "hnsw", "halfvec", "cosine", "l2", "ip", "l1"),
  ...kinds("vector", "hnsw", "binary", "cosine", "ip"),
  ...kinds("vector", "ivfflat", "none", "cosine", "l2", "ip"),
  ...kinds("vector", "ivfflat", "halfvec", "cosine", "l2", "ip"),
  ...kinds("vector", "ivfflat", "binary", "cosine", "ip"),
  ...kinds("vector", "diskann", "none", "cosine", "l2", "ip"),
  ...kinds("halfvec", "hnsw", "none", "cosine", "l2", "ip", "l1"),
  ...kinds("halfvec", "hnsw", "binary", "cosine", "ip"),
  ...kinds("halfvec", "ivfflat", "none", "cosine", "l2", "ip"),
  ...kinds("halfvec", "ivfflat", "binary", "cosine"),
  ...kinds("bit", "hnsw", "none", "hamming", "jaccard"),
  ...kinds("bit", "ivfflat", "none", "hamming"),
];

const PROJECTION = { omitDocument: true };
const items = clusteredItems({ count: ITEMS + QUERIES, dimensions: DIMENSIONS, clusters: 30 });
const queries = items.slice(ITEMS);

let fixture: Fixture;
let diskann = false;
let rowsStored: readonly ClusteredItem[] = [];
const opened = new AsyncDisposableStack();
const tables = new Map<string, string>();

async function fill(
  name: string,
  stored: Stored,
  rows: readonly ClusteredItem[],
  hashPartitions = 0,
): Promise<void> {
  const dimensions = rows[0]?.numbers.length as number;
  const elementType = ELEMENT_TYPES[stored];
  await fixture.collections.createCollection({ name, dimensions, elementType, hashPartitions });
  for (let first = 0; first < rows.length; first += 500) {
    const batch = rows.slice(first, first + 500);
    await fixture.vectors.upsert({
      collection: name,
      items: {
        keys: batch.map(({ key }) => key),
        vectors: packItems(batch, stored === "bit"),
        metadata: batch.map(({ cluster, draw }) => ({ cluster, draw })),
      },
    });
  }
  const { rows: found } = await fixture.db.query<{ id: number }>(
    "SELECT id FROM collections WHERE name = $1",
    [name],
  );
  tables.set(name, `collection_${found[0]?.id}_vectors`);
  await fixture.db.query(`ANALYZE ${tables.get(name)}`);
}

beforeAll(async () => {
  fixture = opened.use(await openFixture());
  const { db } = fixture;
  if (!db.capabilities.vector) return;
  const { rows } = await db.query("SELECT FROM pg_available_extensions WHERE name = 'vectorscale'");
  if (rows.length > 0) {
    await db.query("CREATE EXTENSION vectorscale CASCADE");
    diskann = true;
  }
  rowsStored = items.slice(0, db.capabilities.concurrentSessions ? ITEMS : FEW_ITEMS);
  for (const type of ["vector", "halfvec", "bit"] as const) await fill(type, type, rowsStored);
}, 120_000);
afterAll(() => opened.disposeAsync());

/** The index's expression and operator class. */
function definition({ stored, quantization, metric }: Kind, dimensions: number): string {
  if (quantization === "halfvec") return `(embedding::halfvec(${dimensions})) halfvec_${metric}_ops`;
  if (quantization === "binary") return `(binary_quantize(embedding)::bit(${dimensions})) bit_hamming_ops`;
  return `embedding ${stored}_${metric}_ops`;
}

async function withIndex(kind: Kind, collection: string, dimensions: number, work: () => Promise<void>) {
  const { db, store } = fixture;
  const parameters = {
    hnsw: "WITH (m = 16, ef_construction = 100)",
    ivfflat: "WITH (lists = 20)",
    diskann: "",
  };
  await db.query(
    `CREATE INDEX ${INDEX} ON ${tables.get(collection)} USING ${kind.method} (${definition(kind, dimensions)}) ${parameters[kind.method]}`,
  );
  store.forgetState();
  try {
    await work();
  } finally {
    await db.query(`DROP INDEX ${INDEX}`);
    store.forgetState();
  }
}

const ask = (collection: string, stored: Stored, query: ClusteredItem, rest: Request): Request => ({
  collection,
  query: { case: "vector", value: { data: packItems([query], stored === "bit") } },
  k: K,
  projection: PROJECTION,
  ...rest,
});

const clusterOf = ({ metadata }: SearchHit): unknown => metadata?.["cluster"];

/** Share of the exact search's hits; a hit as near as the last of those counts as one. */
function recallOf(truth: readonly SearchHit[], hits: readonly SearchHit[]): number {
  const least = truth.at(-1)?.similarity ?? Infinity;
  const found = hits.filter(({ similarity }) => similarity >= least - 1e-6 * Math.max(1, Math.abs(least)));
  return found.length / truth.length;
}

/** Mean recall of searches that scan the index; of those that both find, the similarities are the same. */
async function recallBy(collection: string, stored: Stored, rest: Request): Promise<number> {
  let sum = 0;
  for (const query of queries) {
    const { efSearch: _ef, probes: _probes, ...truth } = rest;
    const exact = await fixture.search.search(ask(collection, stored, query, { ...truth, exact: true }));
    const { hits, plan } = await fixture.search.search(ask(collection, stored, query, rest));
    expect(plan?.indexName).toBe(INDEX);
    expect(plan?.method).not.toBe(SearchMethod.EXACT_FALLBACK);
    expect(hits).toHaveLength(exact.hits.length);
    const similarities = new Map(exact.hits.map(({ key, similarity }) => [key, similarity]));
    for (const { key, similarity } of hits) {
      expect(similarity).toBeCloseTo(similarities.get(key) ?? similarity, EXACTNESS);
    }
    expect(hits.map(({ similarity }) => similarity)).toEqual(
      hits.map(({ similarity }) => similarity).toSorted((a, b) => b - a),
    );
    sum += recallOf(exact.hits, hits) / queries.length;
  }
  return sum;
}

const METHODS = {
  hnsw: SearchMethod.HNSW,
  ivfflat: SearchMethod.IVFFLAT,
  diskann: SearchMethod.DISKANN,
} as const;

describe.each(KINDS)("$stored, $method, $quantization, $metric", (kind) => {
  const { stored: type, method, quantization } = kind;
  // Whoever names the effort gets the index, also where comparing what passes the filter would be cheaper.
  // Lists begin from a random sample of the rows; those of bits differ most, and 8 of them now and then miss 0.06.
  const probes = type === "bit" || quantization === "binary" ? 16 : 8;
  const effort: Request = method === "hnsw" ? { efSearch: 300 } : method === "ivfflat" ? { probes } : {};
  const metric = METRICS[kind.metric] as Metric;
  const inIndex = (query: ClusteredItem, rest: Request): Request =>
    ask(type, type, query, { metric, ...effort, ...rest });

  test("finds what an exact search finds, in every way of searching", async () => {
    if (!hasVector(fixture)) return;
    if (method === "diskann" && !diskann) {
      process.stderr.write("not run: needs vectorscale\n");
      return;
    }
    await withIndex(kind, type, DIMENSIONS, async () => {
      const { search } = fixture;
      const first = queries[0] as ClusteredItem;
      const { plan, postgresPlan } = await search.explain({ search: inIndex(first, {}) });
      expect(postgresPlan).toMatch(new RegExp(`Index Scan using ${INDEX}`));
      expect(postgresPlan).not.toContain("Seq Scan");
      expect(plan).toMatchObject({ method: METHODS[method], quantization, indexName: INDEX });
      if (quantization === "binary") expect(plan?.reranked).toBeGreaterThanOrEqual(300);

      expect(await recallBy(type, type, { metric, ...effort })).toBeGreaterThanOrEqual(0.95);

      const where: Request["where"] = {
        condition: {
          case: "range",
          value: { field: { segments: ["draw"] }, lt: { value: { case: "number", value: 0.5 } } },
        },
      };
      expect(await recallBy(type, type, { metric, ...effort, where })).toBeGreaterThanOrEqual(0.9);

      const groupBy = { field: { segments: ["cluster"] }, groupSize: 2 };
      const grouped = await search.search(inIndex(first, { k: 3, groupBy }));
      const members = Map.groupBy(grouped.hits, clusterOf);
      expect(members.size).toBe(3);
      for (const hits of members.values()) expect(hits.length).toBeLessThanOrEqual(2);

      const whole = await search.search(inIndex(first, {}));
      const page = await search.search(inIndex(first, { k: 5, offset: 5 }));
      expect(page.hits.map(({ key }) => key)).toEqual(whole.hits.slice(5).map(({ key }) => key));
      const threshold = whole.hits[4]?.similarity as number;
      const near = await search.search(inIndex(first, { threshold }));
      expect(near.hits).toEqual(whole.hits.filter(({ similarity }) => similarity >= threshold));

      const key = items[7]?.key as string;
      const byKey = await search.search({ ...inIndex(first, {}), query: { case: "key", value: key } });
      expect(byKey.plan?.indexName).toBe(INDEX);
      expect(byKey.hits).toHaveLength(K);
      expect(byKey.hits.map((hit) => hit.key)).not.toContain(key);
    });
  }, 60_000);
});

test("the store's own choice of effort reaches the target through every kind of index of whole vectors", async () => {
  if (!hasVector(fixture)) return;
  for (const kind of KINDS.filter(({ stored, metric }) => stored === "vector" && metric === "cosine")) {
    if (kind.method === "diskann" && !diskann) continue;
    await withIndex(kind, "vector", DIMENSIONS, async () => {
      const recall = await recallBy("vector", "vector", {});
      expect({ kind, finds: recall >= 0.95 ? "enough" : recall }).toEqual({ kind, finds: "enough" });
    });
  }
}, 120_000);

describe("two indexes of the same vectors", () => {
  test("whoever names an effort gets the one that it is for, and so it is said", async () => {
    if (!hasVector(fixture)) return;
    const hnsw: Kind = { stored: "vector", method: "hnsw", quantization: "none", metric: "cosine" };
    const table = tables.get("vector");
    await withIndex(hnsw, "vector", DIMENSIONS, async () => {
      await fixture.db.query(
        `CREATE INDEX rival_idx ON ${table} USING ivfflat (embedding vector_cosine_ops) WITH (lists = 20)`,
      );
      try {
        fixture.store.forgetState();
        const [query] = queries as [ClusteredItem];
        for (const [rest, name] of [
          [{ efSearch: 40 }, INDEX],
          [{ probes: 3 }, "rival_idx"],
        ] as const) {
          const { plan, postgresPlan } = await fixture.search.explain({
            search: ask("vector", "vector", query, rest),
          });
          // Of few rows, all lists of an IVFFlat index are cheaper than any scan of an HNSW one.
          const few = rowsStored.length < ITEMS;
          expect([rest, plan?.indexName]).toEqual([rest, few ? "rival_idx" : name]);
          expect(postgresPlan).toContain(`Index Scan using ${plan?.indexName}`);
        }
      } finally {
        await fixture.db.query("DROP INDEX rival_idx");
      }
    });
  });
});

describe("a partitioned collection", () => {
  const parted = KINDS.filter(({ stored, metric }) => stored === "vector" && metric === "cosine");

  test("the nearest of its partitions' indexes are merged, and none is sorted or read as a whole", async () => {
    if (!hasVector(fixture)) return;
    await fill("parted", "vector", rowsStored, 3);
    for (const kind of parted) {
      if (kind.method === "diskann" && !diskann) continue;
      await withIndex(kind, "parted", DIMENSIONS, async () => {
        const { postgresPlan } = await fixture.search.explain({
          search: ask("parted", "vector", queries[0] as ClusteredItem, {}),
        });
        expect(postgresPlan).toContain("Merge Append");
        expect(postgresPlan.match(/Index Scan using collection_\d+_vectors_\S+ on/g)).toHaveLength(3);
        expect(postgresPlan).not.toContain("Seq Scan");
        const recall = await recallBy("parted", "vector", {});
        expect({ kind, met: recall >= 0.95 }).toEqual({ kind, met: true });
      });
    }
  }, 120_000);
});

describe("8,192 dimensions", () => {
  test("by the signs of their numbers, compared again by whole vectors that stand outside of their rows", async () => {
    if (!hasVector(fixture)) return;
    const wide = clusteredItems({ count: 400 + QUERIES, dimensions: 8192, clusters: 20 });
    await fill("wide", "vector", wide.slice(0, 400));
    const kind: Kind = { stored: "vector", method: "hnsw", quantization: "binary", metric: "cosine" };
    await withIndex(kind, "wide", 8192, async () => {
      let sum = 0;
      for (const query of wide.slice(400)) {
        const exact = await fixture.search.search(ask("wide", "vector", query, { exact: true }));
        const found = await fixture.search.search(ask("wide", "vector", query, { efSearch: 60 }));
        expect(found.plan).toMatchObject({ indexName: INDEX, quantization: "binary", reranked: 60 });
        sum += recallOf(exact.hits, found.hits);
      }
      expect(sum / QUERIES).toBeGreaterThanOrEqual(0.95);
      const { postgresPlan } = await fixture.search.explain({
        search: ask("wide", "vector", wide[400] as ClusteredItem, {}),
      });
      expect(postgresPlan).toContain(`Index Scan using ${INDEX}`);
    });
  }, 120_000);
});
