import { afterEach, beforeEach, expect, test } from "@jest/globals";
import { ElementType, Metric, SearchMethod } from "@kindred/contracts/vector-store/v1";
import { COLLECTION, fakeVectorStore, type FakeVectorStore } from "../../test/fake-vector-store.ts";
import { runInProcess } from "../../test/run-in-process.ts";

let cleanup: AsyncDisposableStack;
beforeEach(() => void (cleanup = new AsyncDisposableStack()));
afterEach(() => cleanup.disposeAsync());

const service = async (...args: Parameters<typeof fakeVectorStore>): Promise<FakeVectorStore> =>
  cleanup.use(await fakeVectorStore(...args));

const kindred = (at: Pick<FakeVectorStore, "url">, ...args: string[]) =>
  runInProcess([...args, "--url", at.url], { KINDRED_HOME: "/nonexistent" });

const EXPLAINED = {
  plan: {
    method: SearchMethod.HNSW,
    indexName: "songs_hnsw",
    efSearch: 40,
    complete: true,
    spaceId: "local:m@1:3",
  },
  settings: { "hnsw.ef_search": "40", enable_seqscan: "off" },
  sql: "\n    SELECT v.key\n      FROM songs AS v\n     ORDER BY v.embedding <=> $1\u001b[31m",
  parameters: ["[0.1,0.2,…]", "10"],
  postgresPlan: `Limit  (cost=0.00..1.00)\n  ->  Index Scan using songs_hnsw\n        Order By: (v <=> '[0.1,-2e-05,3,4,5]'::vector)\n        Filter: (b = '${"10".repeat(40)}'::"bit" AND p = '[1,2]')`,
  reasons: ["The collection has an HNSW index for cosine.", "There is no filter."],
};

test("explain: why, the settings, the statement and PostgreSQL's plan", async () => {
  const at = await service({ explain: () => EXPLAINED });
  const { code, out } = await kindred(at, "explain", "rain", "-c", "songs", "-k", "3", "--analyze");
  expect(code).toBe(0);
  expect(out).toBe(
    [
      " answered  HNSW index songs_hnsw, ef_search 40",
      " space     local:m@1:3",
      "",
      " why",
      "   The collection has an HNSW index for cosine.",
      "   There is no filter.",
      "",
      " settings",
      "   enable_seqscan = off",
      "   hnsw.ef_search = 40",
      "",
      " statement",
      "   SELECT v.key",
      "     FROM songs AS v",
      "    ORDER BY v.embedding <=> $1",
      "",
      " parameters",
      "   $1 = [0.1,0.2,…]",
      "   $2 = 10",
      "",
      " PostgreSQL's plan",
      "   Limit  (cost=0.00..1.00)",
      "     ->  Index Scan using songs_hnsw",
      "           Order By: (v <=> '[0.1,-2e-05,… 5]'::vector)",
      "           Filter: (b = '10101010… 80'::\"bit\" AND p = '[1,2]')",
      "",
    ].join("\n"),
  );
  expect(at.asked("explain")).toMatchObject([
    { analyze: true, search: { query: { case: "text", value: "rain" }, collection: "songs", k: 3 } },
  ]);
});

test("explain for programs", async () => {
  const { out } = await kindred(await service({ explain: () => EXPLAINED }), "explain", "rain", "--json");
  expect(JSON.parse(out)).toMatchObject({
    sql: EXPLAINED.sql,
    reasons: EXPLAINED.reasons,
    plan: { ef_search: 40 },
  });
});

test("search: the collection's own metric, and items as a table", async () => {
  const at = await service({
    search: () => ({
      hits: [{ key: "17", similarity: 0.9, document: "Rain." }],
      plan: { method: SearchMethod.EXACT, complete: false },
    }),
  });
  const { code, out } = await kindred(
    at,
    "search",
    "rain",
    "-c",
    "songs",
    "--where",
    "year > 1990",
    "--unlike",
    "sun",
  );
  expect(code).toBe(0);
  expect(out).toMatch(
    /^ # +similarity +key +item\n 1 +0\.9000 +17 +Rain\.\n 1 hit · exact.* · there may be more hits than these\n$/,
  );
  expect(at.asked("search")).toMatchObject([
    { metric: Metric.UNSPECIFIED, where: { condition: { case: "range" } }, query: { case: "several" } },
  ]);
});

test("search shows vectors as what they are in the collection", async () => {
  const at = await service(
    { search: () => ({ hits: [{ key: "a", similarity: 1, vector: new Uint8Array([0b1010_0000]) }] }) },
    { ...COLLECTION, elementType: ElementType.BIT },
  );
  const args = ["search", "--vector", "101", "-c", "songs", "--show-vector"];
  expect((await kindred(at, ...args)).out).toMatch(/^ 1 +1\.0000 +a +101$/m);
  expect(JSON.parse((await kindred(at, ...args, "--json")).out)).toMatchObject({
    hits: [{ key: "a", vector: "101" }],
  });
  expect(at.asked("search")[0]).toMatchObject({
    query: { case: "vector", value: { data: new Uint8Array([0b1010_0000]) } },
    projection: { vector: true },
  });
});
