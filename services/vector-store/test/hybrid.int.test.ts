import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { Metric, type SearchResponse } from "@kindred/contracts/vector-store/v1";
import { similarityOf, type Metric as MetricName } from "../src/domain/collection.ts";
import { errorOf, openFixture, type Fixture } from "./fixture.ts";
import { pack } from "./items-fixture.ts";
import { distanceOf, type Numbers } from "./reference-distance.ts";

// Hybrid and diverse searches against what their formulas say.

/** By the angle to [1, 0]: a is nearest, f is farthest. */
const ITEMS = [
  { key: "a", vector: [1, 0], document: "a cat on a sofa", kind: "pet" },
  { key: "b", vector: [4, 1], document: "a dog", kind: "pet" },
  { key: "c", vector: [3, 1], document: "a cat and another cat", kind: "pet" },
  { key: "d", vector: [2, 1], document: undefined, kind: "none" },
  { key: "e", vector: [1, 1], document: "a sleeping cat", kind: "scene" },
  { key: "f", vector: [0, 1], document: "cat", kind: "scene" },
] as const;

let fixture: Fixture;
beforeAll(async () => {
  fixture = await openFixture();
  await fixture.collections.createCollection({ name: "things", dimensions: 2 });
  await fixture.vectors.upsert({
    collection: "things",
    items: {
      keys: ITEMS.map(({ key }) => key),
      vectors: pack(...ITEMS.map(({ vector }) => vector)),
      documents: ITEMS.map(({ document }) => document ?? ""),
      metadata: ITEMS.map(({ kind }) => ({ kind })),
    },
  });
}, 60_000);
afterAll(async () => {
  await fixture?.[Symbol.asyncDispose]();
});

const NEAR = { case: "vector" as const, value: { data: pack([1, 0]) } };
const keysOf = ({ hits }: SearchResponse): string[] => hits.map(({ key }) => key);
const similarity = (metric: MetricName, a: Numbers, b: Numbers): number =>
  similarityOf(metric, distanceOf(metric, a, b), 2);

/** Documents with the word "cat", as PostgreSQL ranks them: c has it twice, the others are equal and come by key. */
const MATCHED = ["c", "a", "e", "f"];
const NEAREST = ["a", "b", "c", "d", "e", "f"];

function fused(lists: readonly [readonly string[], readonly string[]], constant = 60, weight = 1) {
  const share = (list: readonly string[], key: string, factor: number): number =>
    list.includes(key) ? factor / (constant + list.indexOf(key) + 1) : 0;
  return [...new Set(lists.flat())]
    .map((key) => ({ key, score: share(lists[0], key, 1) + share(lists[1], key, weight) }))
    .toSorted((x, y) => y.score - x.score || NEAREST.indexOf(x.key) - NEAREST.indexOf(y.key));
}

describe("hybrid searches", () => {
  test.each([
    ["as it is", {}, [NEAREST, MATCHED]],
    ["with a weight", { textWeight: 3 }, [NEAREST, MATCHED]],
    ["with another constant", { rankConstant: 1, textWeight: 0.5 }, [NEAREST, MATCHED]],
    ["with few candidates", { candidates: 3 }, [NEAREST.slice(0, 3), MATCHED.slice(0, 3)]],
  ] as const)("join two lists by rank, %s", async (_, options, lists) => {
    const hybrid = { text: "cats", ...options };
    const { hits, plan } = await fixture.search.search({ collection: "things", query: NEAR, k: 3, hybrid });
    const expected = fused(
      lists,
      "rankConstant" in options ? options.rankConstant : undefined,
      "textWeight" in options ? options.textWeight : undefined,
    ).slice(0, 3);
    expect(hits.map(({ key }) => key)).toEqual(expected.map(({ key }) => key));
    for (const [i, hit] of hits.entries()) {
      expect(hit.fusedScore).toBeCloseTo(expected[i]?.score as number, 12);
      expect(hit.textRank).toBe(lists[1].indexOf(hit.key as never) + 1);
      const { vector } = ITEMS.find(({ key }) => key === hit.key) as (typeof ITEMS)[number];
      expect(hit.similarity).toBeCloseTo(similarity("cosine", [1, 0], vector), 6);
    }
    expect(plan?.textMethod).toBe("fts");
  });

  test("go on behind an offset", async () => {
    const all = await fixture.search.search({ collection: "things", query: NEAR, hybrid: { text: "cat" } });
    expect(all.hits).toHaveLength(6);
    const paged = await Promise.all(
      [0, 2, 4, 6].map((offset) =>
        fixture.search.search({ collection: "things", query: NEAR, hybrid: { text: "cat" }, k: 2, offset }),
      ),
    );
    expect(paged.flatMap(keysOf)).toEqual(keysOf(all));
  });

  test("let pass what the filter and the threshold do, in both lists", async () => {
    const where = {
      condition: {
        case: "eq" as const,
        value: { field: { segments: ["kind"] }, value: { value: { case: "text" as const, value: "scene" } } },
      },
    };
    const filtered = await fixture.search.search({
      collection: "things",
      query: NEAR,
      where,
      hybrid: { text: "cat" },
    });
    expect(keysOf(filtered).toSorted()).toEqual(["e", "f"]);
    const near = await fixture.search.search({
      collection: "things",
      query: NEAR,
      threshold: 0.9,
      hybrid: { text: "cat" },
    });
    expect(keysOf(near).toSorted()).toEqual(["a", "b", "c"]);
  });

  test("leave out the item that they are asked with", async () => {
    const query = { case: "key" as const, value: "c" };
    const { hits } = await fixture.search.search({ collection: "things", query, hybrid: { text: "cat" } });
    expect(hits.map(({ key }) => key)).not.toContain("c");
    expect(hits.find(({ key }) => key === "a")?.textRank).toBe(1);
  });

  test("give what is nearest where no document matches", async () => {
    const reply = await fixture.search.search({
      collection: "things",
      query: NEAR,
      hybrid: { text: "zebra" },
    });
    expect(keysOf(reply)).toEqual(NEAREST);
    expect(reply.hits.every(({ textRank }) => textRank === 0)).toBe(true);
  });

  test("join groups once each", async () => {
    const { hits } = await fixture.search.search({
      collection: "things",
      query: NEAR,
      hybrid: { text: "cat" },
      groupBy: { field: { segments: ["kind"] } },
    });
    expect(hits.map(({ group }) => group?.kind.value).toSorted()).toEqual(["none", "pet", "scene"]);
    // Groups by their nearest item: pet, none, scene; by their best document: pet, scene.
    expect(hits.map(({ textRank }) => textRank)).toEqual([1, 2, 0]);
    expect(hits[0]?.fusedScore).toBeCloseTo(2 / 61, 12);
    expect(hits[1]?.fusedScore).toBeCloseTo(1 / 63 + 1 / 62, 12);
  });

  test("need documents", async () => {
    await fixture.db.query("CREATE TABLE public.bare (id integer PRIMARY KEY, v vector(2))");
    await fixture.collections.registerCollection({ table: { schema: "public", table: "bare" } });
    const refused = fixture.search.search({ collection: "bare", query: NEAR, hybrid: { text: "cat" } });
    expect((await errorOf(refused)).kind).toBe("failed-precondition");
  });
});

describe("diverse searches", () => {
  const METRICS = [
    ["cosine", Metric.COSINE],
    ["l2", Metric.L2],
    ["l1", Metric.L1],
    ["inner-product", Metric.INNER_PRODUCT],
  ] as const;

  /** By the formula, one by one. */
  function marginal(metric: MetricName, query: Numbers, lambda: number, count: number): string[] {
    const nearest = ITEMS.toSorted(
      (x, y) => distanceOf(metric, query, x.vector) - distanceOf(metric, query, y.vector),
    );
    const taken: (typeof ITEMS)[number][] = [];
    while (taken.length < count && taken.length < nearest.length) {
      const score = ({ vector }: (typeof ITEMS)[number]): number => {
        const closest = taken.map((other) => similarity(metric, vector, other.vector));
        return (
          lambda * similarity(metric, query, vector) -
          (closest.length > 0 ? (1 - lambda) * Math.max(...closest) : 0)
        );
      };
      const left = nearest.filter((item) => !taken.includes(item));
      taken.push(left.reduce((best, item) => (score(item) > score(best) + 1e-9 ? item : best)));
    }
    return taken.map(({ key }) => key);
  }

  test.each(METRICS)("by %s take what is near and unlike each other", async (name, metric) => {
    for (const query of [
      [1, 0.137],
      [0.317, 1.03],
      [1.1, 0.913],
    ]) {
      for (const lambda of [0.2, 0.5, 0.8, 1]) {
        const reply = await fixture.search.search({
          collection: "things",
          query: { case: "vector", value: { data: pack(query) } },
          metric,
          k: 4,
          diversity: { lambda },
        });
        expect([query, lambda, keysOf(reply)]).toEqual([query, lambda, marginal(name, query, lambda, 4)]);
        expect(reply.hits.every(({ vector }) => vector.length === 0)).toBe(true);
      }
    }
  });

  test("choose among so many of the nearest only, and go on behind an offset", async () => {
    const search = (rest: object) =>
      fixture.search.search({
        collection: "things",
        query: NEAR,
        k: 2,
        diversity: { lambda: 0, candidates: 4 },
        ...rest,
      });
    expect(keysOf(await search({}))).toEqual(["a", "d"]);
    expect(keysOf(await search({ offset: 2 })).toSorted()).toEqual(["b", "c"]);
    const { hits } = await search({ projection: { vector: true } });
    expect(hits.map(({ vector }) => Buffer.from(vector))).toEqual(
      [pack([1, 0]), pack([2, 1])].map((bytes) => Buffer.from(bytes)),
    );
  });

  test("are not hybrid", async () => {
    const refused = fixture.search.search({
      collection: "things",
      query: NEAR,
      hybrid: { text: "cat" },
      diversity: {},
    });
    expect((await errorOf(refused)).violations.map(({ field }) => field)).toEqual(["diversity"]);
  });
});
