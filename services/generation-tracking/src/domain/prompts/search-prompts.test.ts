import { describe, expect, test } from "@jest/globals";
import { KindredError } from "@kindred/errors";
import fc from "fast-check";
import type { GenerationFilter } from "../generation-filter.ts";
import type { Generation } from "../generation.ts";
import type { PromptQuery } from "./prompt-collection.ts";
import { searchPrompts, type PromptSearch, type SearchPromptsDeps } from "./search-prompts.ts";

const MOST_LOOKED_AT = 10_000;
const FILTER: GenerationFilter = { batchId: "b" };

interface World {
  /** Generations by their prompts' nearness: the i-th is the i-th nearest, with the similarity -i. */
  prompts: readonly bigint[];
  /** Those that are there. */
  there: (id: bigint) => boolean;
  passes: (id: bigint) => boolean;
}

function depsOf({ prompts, there, passes }: World) {
  const queries: PromptQuery[] = [];
  const deps: SearchPromptsDeps = {
    collection: {
      async nearest(query) {
        queries.push(query);
        expect(query.k).toBeLessThanOrEqual(1000);
        expect(query.offset + query.k).toBeLessThanOrEqual(MOST_LOOKED_AT);
        const { among, threshold = -Infinity } = query;
        expect(among?.length ?? 0).toBeLessThanOrEqual(1000);
        const wanted = among && new Set(among);
        return prompts
          .map((generationId, i) => ({ generationId, similarity: -i }))
          .filter(({ generationId }) => wanted === undefined || wanted.has(generationId))
          .filter(({ similarity }) => similarity >= threshold)
          .slice(query.offset, query.offset + query.k);
      },
    },
    filtered: {
      passing: async (_, limit, among) =>
        (among ?? prompts).filter((id) => there(id) && passes(id)).slice(0, limit),
    },
    store: {
      findMany: async (ids) => ids.filter(there).map((id) => ({ id }) as Generation),
    },
    outbox: { pendingPrompts: async () => 3n },
    onMissing: () => {},
  };
  return { deps, queries };
}

const search = (given: Partial<PromptSearch>): PromptSearch => ({
  query: "q",
  k: 10,
  threshold: undefined,
  filter: undefined,
  ...given,
});
const idsTo = (count: number): bigint[] => Array.from({ length: count }, (_, i) => BigInt(i + 1));
const everything = { there: () => true, passes: () => true };

describe("searchPrompts", () => {
  test("gives the nearest that are there and pass, and says when there may be more", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 0, max: 12_000 }),
        fc.integer({ min: 1, max: 1000 }),
        fc.integer({ min: 1, max: 3000 }),
        fc.integer({ min: 0, max: 20 }),
        fc.boolean(),
        async (count, k, every, gone, filtered) => {
          const world: World = {
            prompts: idsTo(count),
            there: (id) => gone === 0 || Number(id) % (gone + 1) !== 0,
            passes: (id) => !filtered || Number(id) % every === 0,
          };
          const { deps } = depsOf(world);
          const passing = world.prompts.filter((id) => world.there(id) && world.passes(id));
          const found = await searchPrompts(deps, search({ k, filter: filtered ? FILTER : undefined }), {});
          // Few that pass are all compared, however far away they are.
          const within =
            filtered && passing.length <= 1000
              ? passing
              : passing.filter((id) => Number(id) <= MOST_LOOKED_AT);
          expect(found.hits.map(({ generation }) => generation.id)).toEqual(within.slice(0, k));
          expect(found.incomplete).toBe(
            within.length < k && count >= MOST_LOOKED_AT && !(filtered && passing.length <= 1000),
          );
          expect(found.pending).toBe(3n);
        },
      ),
      { numRuns: 60 },
    );
  });

  test("asks once, and for little more than what is wanted, where nothing is left out", async () => {
    const { deps, queries } = depsOf({ prompts: idsTo(5000), ...everything });
    await searchPrompts(deps, search({ k: 10 }), {});
    expect(queries).toMatchObject([{ k: 18, offset: 0, among: undefined }]);
  });

  test("looks no further than the threshold", async () => {
    const { deps, queries } = depsOf({ prompts: idsTo(5000), ...everything });
    const { hits, incomplete } = await searchPrompts(deps, search({ k: 10, threshold: -4 }), {});
    expect([hits.length, incomplete, queries.length]).toEqual([5, false, 1]);
  });

  test("does not ask the vector store when nothing passes", async () => {
    const { deps, queries } = depsOf({ prompts: idsTo(10), there: () => true, passes: () => false });
    const found = await searchPrompts(deps, search({ filter: FILTER }), {});
    expect(found).toEqual({ hits: [], pending: 3n, incomplete: false });
    expect(queries).toEqual([]);
  });

  test("without a collection nothing is found, and somebody is told", async () => {
    const { deps } = depsOf({ prompts: [], ...everything });
    let missing = 0;
    const found = await searchPrompts(
      {
        ...deps,
        collection: { nearest: () => Promise.reject(new KindredError("not-found", "no such collection")) },
        onMissing: () => (missing += 1),
      },
      search({}),
      {},
    );
    expect(found).toEqual({ hits: [], pending: 3n, incomplete: false });
    expect(missing).toBe(1);
  });

  test("that the vector store is away is the caller's to know", async () => {
    const { deps } = depsOf({ prompts: [], ...everything });
    const away = { nearest: () => Promise.reject(new KindredError("unavailable", "nobody there")) };
    await expect(searchPrompts({ ...deps, collection: away }, search({}), {})).rejects.toMatchObject({
      kind: "unavailable",
    });
  });
});
