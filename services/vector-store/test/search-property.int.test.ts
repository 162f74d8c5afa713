import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { SearchMethod, type SearchResponse } from "@kindred/contracts/vector-store/v1";
import fc from "fast-check";
import { metricsOf, type Metric } from "../src/domain/collection.ts";
import type { JsonObject } from "../src/domain/image.ts";
import type { KeyType } from "../src/domain/layout.ts";
import { wordVector } from "./fake-embedding.ts";
import { toFilterMessage } from "./filter-message.ts";
import { openFixture, type Fixture } from "./fixture.ts";
import {
  make,
  METRICS,
  pack,
  roundTo,
  searches,
  setups,
  unmake,
  type Asked,
  type Item,
  type Setup,
  type Source,
} from "./random-collections.ts";
import type { Numbers } from "./reference-distance.ts";
import { candidates, nearest, weightedSum, type ModelHit, type ModelQuery } from "./search-model.ts";

// Random collections and random searches of them, against a model that looks at every item.

const SEED = 20_261;
/** What the model is asked; undefined where there is nothing to ask for. */
function modelled(setup: Setup, asked: Asked): (ModelQuery & { sources: Asked["sources"] }) | undefined {
  const { items, elementType, dimensions } = setup;
  const metrics = metricsOf(elementType);
  const metric =
    setup.index && asked.metric !== 0 ? setup.metric : (metrics[asked.metric % metrics.length] as Metric);
  const sources = asked.several ? asked.sources : asked.sources.slice(0, 1);
  const excluded = new Set<string>();
  const parts: { numbers: Numbers; weight: number }[] = [];
  for (const { source, weight } of sources) {
    if (source.case === "key") {
      const item = items[source.position % items.length] as Item;
      if (!item.numbers) return undefined;
      excluded.add(item.key);
      parts.push({ numbers: item.numbers, weight });
    } else {
      const numbers = source.case === "text" ? [...wordVector(source.text)] : source.numbers;
      // Refused as a query.
      const zero = numbers.every((value) => value === 0);
      if (zero && source.case === "vector" && metric === "cosine") return undefined;
      parts.push({ numbers, weight });
    }
  }
  const summed = asked.several ? weightedSum(parts) : parts[0]?.numbers;
  if (!summed) return undefined;
  const query: ModelQuery = {
    numbers: elementType === "bit" ? summed : roundTo(elementType, summed),
    metric,
    dimensions,
    filter: asked.filter,
    excluded,
    group: asked.group,
    threshold: undefined,
    k: asked.k,
    offset: asked.offset,
  };
  return { ...query, threshold: thresholdOf(candidates(items, query), asked.threshold), sources };
}

/** In the middle of two similarities, so that rounding does not matter. */
function thresholdOf(all: readonly ModelHit<Item>[], share: number | undefined): number | undefined {
  if (share === undefined || all.length < 2) return undefined;
  const at = Math.floor(share * (all.length - 1));
  const [above, below] = [all[at]?.similarity ?? 0, all[at + 1]?.similarity ?? 0];
  return above - below > 1e-3 ? (above + below) / 2 : undefined;
}

async function run(fixture: Fixture, setup: Setup, name: string, asked: Asked): Promise<void> {
  const query = modelled(setup, asked);
  if (!query) return;
  const reply = await fixture.search.search({
    collection: name,
    query: queryMessage(setup, asked, query.sources),
    k: asked.k,
    offset: asked.offset,
    ...(query.threshold !== undefined && { threshold: query.threshold }),
    metric: METRICS[query.metric],
    ...(query.filter && { where: toFilterMessage(query.filter) }),
    ...(query.group && {
      groupBy: { field: { segments: [...query.group.path] }, groupSize: query.group.size },
    }),
    exact: asked.exact,
    ...(setup.index === "hnsw" && { efSearch: asked.effort }),
    ...(setup.index === "ivfflat" && { probes: asked.effort }),
    projection: {
      ...asked.projection,
      metadataFields: asked.projection.omitMetadata ? [] : asked.projection.metadataFields,
    },
  });
  const method = reply.plan?.method;
  const byIndex = method === SearchMethod.HNSW || method === SearchMethod.IVFFLAT;
  if (asked.exact) expect(byIndex).toBe(false);
  expect(reply.plan?.complete).toBe(true);
  counts[byIndex ? "index" : "exact"]++;
  const all = new Map(candidates(setup.items, query).map((hit) => [hit.item.key, hit]));
  checkHits(reply, setup, asked, query, all);
  const wanted = nearest(setup.items, query);
  if (byIndex) checkIndexed(reply, query, wanted, all);
  else checkExact(reply, wanted, query, all, query.metric === "cosine" || asked.several || setup.texts);
}

const counts = { exact: 0, index: 0 };

function queryMessage(setup: Setup, asked: Asked, sources: Asked["sources"]) {
  const message = (source: Source) => {
    switch (source.case) {
      case "text":
        return { case: "text" as const, value: source.text };
      case "vector":
        return { case: "vector" as const, value: { data: pack(setup.elementType, source.numbers) } };
      case "key": {
        const { key } = setup.items[source.position % setup.items.length] as Item;
        return { case: "key" as const, value: source.odd ? oddForm(setup.keyType, key) : key };
      }
    }
  };
  if (!asked.several) return message(sources[0]?.source as Source);
  const queries = sources.map(({ source, weight }) => ({ query: message(source), weight }));
  return { case: "several" as const, value: { queries } };
}

/** The same key written another way. */
function oddForm(keyType: KeyType, key: string): string {
  if (keyType === "uuid") return key.toUpperCase();
  return keyType === "integer" ? key.replace(/\d/, "00$&") : key;
}

const closeTo = (expected: number): number => 1e-5 * (1 + Math.abs(expected));

/** What holds for every hit, however it was found. */
function checkHits(
  { hits }: SearchResponse,
  setup: Setup,
  { projection }: Asked,
  { threshold, group }: ModelQuery,
  all: ReadonlyMap<string, ModelHit<Item>>,
): void {
  expect(new Set(hits.map(({ key }) => key)).size).toBe(hits.length);
  for (const hit of hits) {
    const known = all.get(hit.key) as ModelHit<Item>;
    // It passes the filter, and is none that the query is made of.
    expect(known).toBeDefined();
    expect(Math.abs(hit.distance - known.distance)).toBeLessThan(closeTo(known.distance));
    expect(Math.abs(hit.similarity - known.similarity)).toBeLessThan(closeTo(known.similarity));
    if (threshold !== undefined) expect(hit.similarity).toBeGreaterThanOrEqual(threshold);
    const { numbers, fields, document } = known.item;
    expect(Buffer.from(hit.vector)).toEqual(
      projection.vector ? Buffer.from(pack(setup.elementType, numbers as Numbers)) : Buffer.of(),
    );
    expect(hit.metadata).toEqual(
      projection.omitMetadata ? undefined : projected(fields, projection.metadataFields),
    );
    expect(hit.document).toBe(projection.omitDocument ? "" : (document ?? ""));
    expect(hit.group?.kind.value).toEqual(group && known.group === 0 ? 0 : known.group);
  }
}

function projected(fields: JsonObject, wanted: readonly string[]): JsonObject {
  // JSON has one zero.
  const plain = JSON.parse(JSON.stringify(fields)) as JsonObject;
  if (wanted.length === 0) return plain;
  return Object.fromEntries(
    wanted.flatMap((name) => (Object.hasOwn(plain, name) ? [[name, plain[name]]] : [])),
  ) as JsonObject;
}

/**
 * The same hits in the same order. What is as near may change places where distances are rounded, but for equal vectors, whose
 * distances are equal all the same.
 */
function checkExact(
  { hits }: SearchResponse,
  wanted: readonly ModelHit<Item>[],
  { group, offset }: ModelQuery,
  all: ReadonlyMap<string, ModelHit<Item>>,
  rounded: boolean,
): void {
  if (!rounded) {
    expect(hits.map(({ key }) => key)).toEqual(wanted.map(({ item }) => item.key));
    return;
  }
  expect(hits).toHaveLength(wanted.length);
  if (group) return;
  for (const [i, hit] of hits.entries()) {
    const { distance } = wanted[i] as ModelHit<Item>;
    expect(Math.abs(hit.distance - distance)).toBeLessThan(closeTo(distance));
  }
  if (offset > 0) return;
  const place = new Map(hits.map(({ key }, i) => [key, i]));
  for (const twins of Map.groupBy(all.values(), ({ item }) => String(item.numbers)).values()) {
    const places = twins.map(({ item }) => place.get(item.key) ?? Infinity);
    expect(places).toEqual(places.toSorted((x, y) => (x === y ? 0 : x - y)));
  }
}

/** As many as there can be, in order. */
function checkIndexed(
  { hits }: SearchResponse,
  { group, threshold, offset, k }: ModelQuery,
  wanted: readonly ModelHit<Item>[],
  all: ReadonlyMap<string, ModelHit<Item>>,
): void {
  const groups = [...Map.groupBy(hits, ({ key }) => all.get(key)?.group).values()];
  if (group) {
    const [found, most] = [groups.length, new Set(wanted.map((hit) => hit.group)).size];
    if (threshold === undefined) expect(found).toBe(most);
    else expect(found).toBeLessThanOrEqual(k);
    for (const members of groups) expect(members.length).toBeLessThanOrEqual(group.size);
  } else if (threshold === undefined) {
    expect(hits).toHaveLength(Math.max(0, Math.min(k, all.size - offset)));
  }
  const ordered = group
    ? groups.map(([first]) => first?.distance ?? 0)
    : hits.map(({ distance }) => distance);
  expect(ordered).toEqual(ordered.toSorted((a, b) => a - b));
}

const property = (fixture: () => Fixture, storage: "pgvector" | "json") =>
  fc.asyncProperty(
    setups(storage).chain((setup) =>
      fc.tuple(fc.constant(setup), fc.array(searches(setup), { minLength: 8, maxLength: 8 })),
    ),
    async ([setup, asked]) => {
      const name = await make(fixture(), setup);
      try {
        for (const each of asked) await run(fixture(), setup, name, each);
      } finally {
        await unmake(fixture(), setup, name);
      }
    },
  );

describe.each(["pgvector", "json"] as const)("collections stored by %s", (storage) => {
  let fixture: Fixture;
  beforeAll(async () => {
    fixture = await openFixture({ pgvector: storage === "pgvector" });
  }, 60_000);
  afterAll(async () => {
    await fixture?.[Symbol.asyncDispose]();
  });

  test("random searches give what a model gives", async () => {
    Object.assign(counts, { exact: 0, index: 0 });
    const numRuns = storage === "pgvector" ? 200 : 60;
    await fc.assert(
      property(() => fixture, storage),
      { seed: SEED, numRuns, endOnFailure: true },
    );
    expect(counts.exact).toBeGreaterThan(100);
    if (storage === "pgvector") expect(counts.index).toBeGreaterThan(100);
  }, 120_000);
});
