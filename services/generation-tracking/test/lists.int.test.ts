import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import { describe, expect, test } from "@jest/globals";
import { GenerationStatus, type Generation } from "@kindred/contracts/generation-tracking/v1";
import * as fc from "fast-check";
import { generationLists } from "../src/adapters/postgres/generation-lists.ts";
import { NEWEST_FIRST } from "../src/domain/generation-filter.ts";
import { listGenerations } from "../src/domain/list-generations.ts";
import type { Fixture } from "./fixture.ts";
import { useFixture } from "./use-fixture.ts";

const fixture = useFixture();

type ListRequest = Parameters<Fixture["client"]["listGenerations"]>[0];

async function listAll(request: ListRequest, onPage?: () => Promise<void>): Promise<Generation[]> {
  const found: Generation[] = [];
  let pageToken = "";
  do {
    const page = await fixture.client.listGenerations({ ...request, pageToken });
    found.push(...page.generations);
    pageToken = page.nextPageToken;
    await onPage?.();
  } while (pageToken !== "");
  return found;
}

const prompts = (generations: readonly Generation[]): string[] => generations.map((g) => g.prompt);

const find = async (promptContains: string): Promise<string[]> => prompts(await listAll({ promptContains }));

/** This many microseconds after the new year of 2026. */
const at = (micros: number) => ({ ...timestampFromMs(Date.UTC(2026, 0, 1)), nanos: micros * 1000 });

/** Rows named 1 to n; several share each microsecond, so that the id has to decide. */
async function insertSeries(n: number): Promise<void> {
  await fixture.db.query(
    `INSERT INTO generations (prompt, created_at)
     SELECT i::text, TIMESTAMPTZ '2026-01-01 00:00:00Z' + (i / 3) * INTERVAL '1 microsecond'
       FROM generate_series(1, $1::int) i`,
    [n],
  );
}

describe("pages", () => {
  test("go newest first through every generation exactly once, with ties in time and microseconds apart", async () => {
    await insertSeries(50);
    const expected = Array.from({ length: 50 }, (_, i) => String(50 - i));
    for (const pageSize of [1, 7, 25, 50, 51, 1000]) {
      expect(prompts(await listAll({ pageSize }))).toEqual(expected);
    }
  });

  test("are not shifted by what is recorded meanwhile", async () => {
    await insertSeries(20);
    const seen = await listAll({ pageSize: 3 }, async () => {
      await fixture.client.recordGeneration({ generation: { prompt: "new" } });
    });
    expect(prompts(seen)).toEqual(Array.from({ length: 20 }, (_, i) => String(20 - i)));
  });

  test("have no token after the last generation, also when it fills its page", async () => {
    await insertSeries(4);
    const full = await fixture.client.listGenerations({ pageSize: 4 });
    expect(full).toMatchObject({ nextPageToken: "" });
    expect(full.generations).toHaveLength(4);
    expect(await fixture.client.listGenerations({ promptContains: "nothing" })).toMatchObject({
      generations: [],
      nextPageToken: "",
    });
  });

  test("go on behind what is deleted between finding and reading it, be it all of a page", async () => {
    await insertSeries(20);
    const doomed = [["20"], ["16", "15"], ["14", "13", "12"]];
    const lists = generationLists({
      db: fixture.db,
      store: {
        findMany: async (ids) => {
          await fixture.db.query("DELETE FROM generations WHERE prompt = ANY ($1)", [doomed.shift() ?? []]);
          return await fixture.store.findMany(ids);
        },
      },
    });
    const seen: string[] = [];
    let pageToken = "";
    do {
      const request = { filters: [], order: NEWEST_FIRST, pageSize: 3, pageToken };
      const page = await listGenerations({ lists }, request, {});
      seen.push(...page.generations.map(({ prompt }) => prompt));
      pageToken = page.nextPageToken;
    } while (pageToken !== "");
    const gone = new Set(["20", "16", "15", "14", "13", "12"]);
    const all = Array.from({ length: 20 }, (_, i) => String(20 - i));
    expect(seen).toEqual(all.filter((prompt) => !gone.has(prompt)));
  });

  test("and exports hold no more of what is long than memory and messages do", async () => {
    await fixture.db.query(
      `INSERT INTO generations (prompt, created_at)
       SELECT i || repeat(' kite', 200000), TIMESTAMPTZ '2026-01-01' + i * INTERVAL '1 second' FROM generate_series(1, 40) i`,
    );
    const newestFirst = Array.from({ length: 40 }, (_, i) => 40 - i);
    const parts: number[] = [];
    const lists = generationLists({
      db: fixture.db,
      store: {
        findMany: (ids) => {
          parts.push(ids.length);
          return fixture.store.findMany(ids);
        },
      },
    });
    const exported = await Array.fromAsync(lists.all({}, new AbortController().signal));
    expect(exported.flat().map(({ prompt }) => Number.parseInt(prompt, 10))).toEqual(newestFirst);
    expect(Math.max(...parts)).toBe(12);
    const listed = await listAll({ pageSize: 1000 });
    expect(listed.map(({ prompt }) => Number.parseInt(prompt, 10))).toEqual(newestFirst);
    expect((await fixture.client.listGenerations({ pageSize: 1000 })).generations).toHaveLength(12);
  }, 60_000);

  test("hold 50 when no size is given", async () => {
    await insertSeries(60);
    expect((await fixture.client.listGenerations({})).generations).toHaveLength(50);
  });

  test("a token belongs to its filter and order", async () => {
    await insertSeries(10);
    const { nextPageToken } = await fixture.client.listGenerations({ pageSize: 1, promptContains: "1" });
    for (const other of [{ promptContains: "2" }, { promptContains: "1", order: { ascending: true } }]) {
      await expect(
        fixture.client.listGenerations({ pageToken: nextPageToken, ...other }),
      ).rejects.toMatchObject({ kind: "invalid-argument", violations: [{ field: "page_token" }] });
    }
    // Another page size is fine.
    const rest = await fixture.client.listGenerations({
      pageToken: nextPageToken,
      promptContains: "1",
      pageSize: 9,
    });
    expect(rest.generations.length).toBeLessThanOrEqual(9);
  });

  test("are read through the index", async () => {
    await insertSeries(5000);
    await fixture.db.query("ANALYZE generations");
    const { rows } = await fixture.db.query<{ "QUERY PLAN": string }>(
      `EXPLAIN SELECT * FROM generations
        WHERE (created_at, id) < (TIMESTAMPTZ '2026-01-01 00:00:00.000500Z', 1500)
        ORDER BY created_at DESC, id DESC LIMIT 51`,
    );
    expect(rows.map((row) => row["QUERY PLAN"]).join("\n")).toContain("generations_created_at_idx");
  });
});

describe("filters", () => {
  test("a prompt's part is taken literally, and in any case", async () => {
    for (const prompt of [
      "100% wool",
      "100 wool",
      "snake_case",
      "snakeXcase",
      "back\\slash",
      "A Red CAT",
      "it's",
    ]) {
      await fixture.client.recordGeneration({ generation: { prompt } });
    }
    expect(await find("%")).toEqual(["100% wool"]);
    expect(await find("_")).toEqual(["snake_case"]);
    expect(await find("\\")).toEqual(["back\\slash"]);
    expect(await find("red cat")).toEqual(["A Red CAT"]);
    expect(await find("'")).toEqual(["it's"]);
    expect((await find("WOOL")).toSorted()).toEqual(["100 wool", "100% wool"]);
  });

  test("agree with a plain computation for any text of wildcards", async () => {
    const texts = fc.string({
      unit: fc.constantFrom("%", "_", "\\", "a", "B", "'", ":"),
      minLength: 1,
      maxLength: 6,
    });
    await fc.assert(
      fc.asyncProperty(fc.uniqueArray(texts, { minLength: 1, maxLength: 8 }), texts, async (all, part) => {
        await fixture.clear();
        await fixture.db.query("INSERT INTO generations (prompt) SELECT unnest($1::text[])", [all]);
        const expected = all.filter((prompt) => prompt.toLowerCase().includes(part.toLowerCase()));
        expect(prompts(await listAll({ promptContains: part })).toSorted()).toEqual(expected.toSorted());
      }),
      { numRuns: 30 },
    );
  });

  test("by status", async () => {
    for (const status of [1, 2, 2, 3] as GenerationStatus[]) {
      await fixture.client.recordGeneration({ generation: { prompt: `${status}`, status } });
    }
    expect(prompts(await listAll({ status: GenerationStatus.FAILED }))).toEqual(["2", "2"]);
    expect(prompts(await listAll({ status: GenerationStatus.CANCELLED, pageSize: 1 }))).toEqual(["3"]);
    expect(await listAll({})).toHaveLength(4);
  });

  test("by time: from created_after on, up to but without created_before, to the microsecond", async () => {
    await insertSeries(9); // 0 to 3 microseconds after the new year: 1 2 | 3 4 5 | 6 7 8 | 9
    expect(prompts(await listAll({ createdAfter: at(2) }))).toEqual(["9", "8", "7", "6"]);
    expect(prompts(await listAll({ createdBefore: at(1) }))).toEqual(["2", "1"]);
    expect(prompts(await listAll({ createdAfter: at(1), createdBefore: at(2) }))).toEqual(["5", "4", "3"]);
    expect(await listAll({ createdAfter: at(1), createdBefore: at(1) })).toEqual([]);
    // A nanosecond after a microsecond leaves that microsecond out.
    const later = { ...at(1), nanos: at(1).nanos + 1 };
    expect(prompts(await listAll({ createdAfter: later, createdBefore: at(2) }))).toEqual([]);
    expect(prompts(await listAll({ createdBefore: later }))).toEqual(["5", "4", "3", "2", "1"]);
    expect(
      await listAll({
        createdAfter: { seconds: -62_135_596_800n },
        createdBefore: { seconds: 253_402_300_799n, nanos: 999_999_999 },
      }),
    ).toHaveLength(9);
  });
});
