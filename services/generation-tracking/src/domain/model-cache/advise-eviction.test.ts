import { describe, expect, test } from "@jest/globals";
import * as fc from "fast-check";
import type { ModelCacheEntry } from "../model-cache.ts";
import { adviseEviction, type EvictionRequest } from "./advise-eviction.ts";

const MIB = 2n ** 20n;

const entry = (fields: Partial<ModelCacheEntry>): ModelCacheEntry => ({
  id: 1n,
  modelType: "t",
  modelName: "m",
  cachePath: "/m",
  sizeMb: 1,
  lastAccessedMicros: undefined,
  accessCount: 0n,
  createdAtMicros: 0n,
  present: undefined,
  verifiedAtMicros: undefined,
  ...fields,
});

const micros = fc.bigInt({ min: 0n, max: 9n });
const entries: fc.Arbitrary<ModelCacheEntry[]> = fc
  .array(
    fc.record({
      modelType: fc.constantFrom("a", "b"),
      sizeMb: fc.option(fc.integer({ min: 0, max: 5 }), { nil: undefined }),
      lastAccessedMicros: fc.option(micros, { nil: undefined }),
      finding: fc.option(fc.record({ present: fc.boolean(), verifiedAtMicros: micros }), { nil: undefined }),
    }),
    { maxLength: 12 },
  )
  .map((rows) => rows.map(({ finding, ...row }, i) => entry({ id: BigInt(i + 1), ...row, ...finding })));
const requests: fc.Arbitrary<EvictionRequest> = fc.record({
  budgetBytes: fc.integer({ min: 0, max: 30 }).map((mib) => BigInt(mib) * MIB),
  modelType: fc.constantFrom(undefined, "a", "b"),
  keepUsedSinceMicros: fc.option(micros, { nil: undefined }),
});

/** In whole MiB, one entry at a time, the least recently used of those that are left each time. */
function naively(all: readonly ModelCacheEntry[], request: EvictionRequest) {
  const asked = all.filter(({ modelType }) => (request.modelType ?? modelType) === modelType);
  const gone = (e: ModelCacheEntry) =>
    e.present === false && Number(e.lastAccessedMicros ?? -1n) <= Number(e.verifiedAtMicros);
  const takes = (e: ModelCacheEntry): number => (gone(e) ? 0 : (e.sizeMb ?? 0));
  const left = new Set(asked);
  const evicted: bigint[] = [];
  const sum = (some: Iterable<ModelCacheEntry>) => [...some].reduce((total, e) => total + takes(e), 0);
  while (sum(left) > Number(request.budgetBytes / MIB)) {
    const candidates = [...left].filter(
      (e) =>
        takes(e) > 0 &&
        !(
          request.keepUsedSinceMicros !== undefined &&
          e.lastAccessedMicros !== undefined &&
          e.lastAccessedMicros >= request.keepUsedSinceMicros
        ),
    );
    let oldest: ModelCacheEntry | undefined;
    for (const e of candidates) {
      const [a, b] = [Number(e.lastAccessedMicros ?? -1n), Number(oldest?.lastAccessedMicros ?? -1n)];
      if (!oldest || a < b || (a === b && e.id < oldest.id)) oldest = e;
    }
    if (!oldest) break;
    left.delete(oldest);
    evicted.push(oldest.id);
  }
  return {
    evicted,
    total: sum(asked),
    freed: sum(asked) - sum(left),
    unknown: asked.filter((e) => e.sizeMb === undefined && !gone(e)).length,
    fits: sum(left) <= Number(request.budgetBytes / MIB),
  };
}

describe("advice", () => {
  test("is what going through them one by one gives, in whatever order they come", () => {
    fc.assert(
      fc.property(entries, requests, fc.infiniteStream(fc.nat()), (all, request, random) => {
        const mixed = all
          .map((e) => ({ e, at: random.next().value as number }))
          .toSorted((a, b) => a.at - b.at)
          .map(({ e }) => e);
        const advice = adviseEviction(mixed, request);
        expect({
          evicted: advice.evict.map(({ id }) => id),
          total: Number(advice.totalBytes / MIB),
          freed: Number(advice.evictedBytes / MIB),
          unknown: Number(advice.unknownSizes),
          fits: advice.fits,
        }).toEqual(naively(all, request));
      }),
      { numRuns: 1_000 },
    );
  });

  test("is exact to the byte: what fits exactly stays, one byte less and the oldest goes", () => {
    const all = [
      entry({ id: 1n, sizeMb: 90_000_001 / 2 ** 20, lastAccessedMicros: 1n }),
      entry({ id: 2n, sizeMb: 2 ** 33, lastAccessedMicros: 2n }),
    ];
    const total = 90_000_001n + 2n ** 53n;
    const advise = (budgetBytes: bigint) =>
      adviseEviction(all, { budgetBytes, modelType: undefined, keepUsedSinceMicros: undefined });
    expect(advise(total)).toMatchObject({ evict: [], totalBytes: total, evictedBytes: 0n, fits: true });
    expect(advise(total - 1n)).toMatchObject({
      evict: [{ id: 1n }],
      totalBytes: total,
      evictedBytes: 90_000_001n,
      fits: true,
    });
  });

  test("spares what was used since, and says when that leaves too much", () => {
    const all = [entry({ id: 1n, lastAccessedMicros: 5n }), entry({ id: 2n, lastAccessedMicros: 4n })];
    const request = { budgetBytes: 0n, modelType: undefined, keepUsedSinceMicros: 5n };
    expect(adviseEviction(all, request)).toMatchObject({ evict: [{ id: 2n }], fits: false });
  });
});
