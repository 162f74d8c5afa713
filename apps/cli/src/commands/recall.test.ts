import { afterEach, beforeEach, describe, expect, test } from "@jest/globals";
import { QuerySource } from "@kindred/contracts/vector-store/v1";
import { KindredError } from "@kindred/errors";
import { fakeVectorStore, type FakeVectorStore } from "../../test/fake-vector-store.ts";
import { BUILD, BUILT } from "../../test/operations-fixture.ts";
import { runInProcess } from "../../test/run-in-process.ts";

let cleanup: AsyncDisposableStack;
beforeEach(() => void (cleanup = new AsyncDisposableStack()));
afterEach(() => cleanup.disposeAsync());

const service = async (...args: Parameters<typeof fakeVectorStore>): Promise<FakeVectorStore> =>
  cleanup.use(await fakeVectorStore(...args));

const recall = (at: Pick<FakeVectorStore, "url">, ...args: string[]) =>
  runInProcess(["recall", "--url", at.url, ...args], { KINDRED_HOME: "/nonexistent" });

const MEASURED = {
  id: 3n,
  collection: "songs",
  indexName: "songs_hnsw",
  k: 10,
  effort: 64,
  filterSelectivity: 1,
  recall: 0.9612,
  lower: 0.952,
  upper: 0.9701,
  confidence: 0.95,
  queries: 200,
  recentQueries: 40,
  indexTime: { nanos: 1_200_000 },
  exactTime: { nanos: 24_000_000 },
  recallTarget: 0.95,
  rows: 5_000n,
};

describe("measure", () => {
  test("recall with its interval, and what it means against the target", async () => {
    const at = await service({ measureRecall: () => ({ measurement: MEASURED }) });
    const { code, out } = await recall(at, "measure", "songs");
    expect({ code, out }).toEqual({
      code: 0,
      out: [
        " recall@10    0.9612, 0.952 to 0.9701 at 95 % confidence",
        " target       0.95: met",
        " index        songs_hnsw",
        " effort       64",
        " filter       none",
        " queries      200: 40 of them recent searches",
        " median time  index 1.2 ms, exact 24 ms",
        " rows         ~5,000",
        "",
      ].join("\n"),
    });
    expect(JSON.parse((await recall(at, "measure", "songs", "--json")).out)).toMatchObject({
      recall: 0.9612,
      queries: 200,
      rows: 5_000,
    });
  });

  test.each([
    [{ lower: 0.9, upper: 0.94 }, /target +0\.95: missed; .*kindred recall tune songs/],
    [{ lower: 0.94 }, /target +0\.95: met as far as so few queries tell/],
    [{ lower: 0.92, recall: 0.945 }, /target +0\.95: so few queries cannot tell/],
  ])("%o", async (differing, line) => {
    const at = await service({ measureRecall: () => ({ measurement: { ...MEASURED, ...differing } }) });
    expect((await recall(at, "measure", "songs")).out).toMatch(line);
  });

  test("no verdict where the effort was named", async () => {
    const at = await service({ measureRecall: () => ({ measurement: { ...MEASURED, recallTarget: 0 } }) });
    expect((await recall(at, "measure", "songs", "--effort", "64")).out).not.toContain("target");
  });

  test("every wish reaches the store", async () => {
    const at = await service({ measureRecall: () => ({ measurement: MEASURED }) });
    const what = ["--index", "i", "-k", "5", "--effort", "40", "--recall-target", "0.9", "--queries", "50"];
    const how = [
      "--source",
      "recent",
      "--selectivity",
      "0.01",
      "--confidence",
      "0.99",
      "--max-duration",
      "5s",
    ];
    await recall(at, "measure", "songs", ...what, ...how);
    await recall(at, "measure", "songs");
    const [all, none] = at.asked("measureRecall");
    expect(all).toMatchObject({
      collection: "songs",
      indexName: "i",
      k: 5,
      effort: 40,
      recallTarget: 0.9,
      queries: 50,
      source: QuerySource.RECENT,
      filterSelectivity: 0.01,
      confidence: 0.99,
      maxDuration: { seconds: 5n },
    });
    expect(none).toMatchObject({ k: 0, effort: 0, queries: 0, source: QuerySource.UNSPECIFIED });
    for (const name of ["recallTarget", "confidence", "maxDuration"]) expect(none?.[name]).toBeUndefined();
  });

  test("a collection without an index", async () => {
    const at = await service({
      measureRecall: () => {
        throw new KindredError("failed-precondition", "songs has no index");
      },
    });
    expect(await recall(at, "measure", "songs")).toMatchObject({
      code: 1,
      out: "",
      err: expect.stringContaining("songs has no index"),
    });
  });
});

test("tune waits, and says where to look", async () => {
  const at = await service({
    startRecallTuning: () => ({ operation: BUILD }),
    async *watchOperation() {
      yield { operation: BUILT };
    },
  });
  const { code, out } = await recall(at, "tune", "songs", "--queries", "100", "--source", "mixed");
  expect(code).toBe(0);
  expect(out).toMatch(/ what it found: kindred recall curve songs\n$/);
  expect(at.asked("startRecallTuning")).toMatchObject([
    { collection: "songs", queries: 100, source: QuerySource.MIXED },
  ]);
});

const point = (effort: number, value: number) => ({
  effort,
  recall: value,
  lower: value - 0.01,
  time: { nanos: effort * 20_000 },
});
const CURVES = {
  curves: [
    {
      indexName: "songs_hnsw",
      k: 10,
      filterSelectivity: 1,
      points: [point(20, 0.9), point(40, 0.955), point(80, 0.99)],
      exactTime: { nanos: 16_000_000 },
      queries: 400,
      recentQueries: 400,
      rows: 5_000n,
    },
    { indexName: "songs_hnsw", k: 10, filterSelectivity: 0.01, points: [point(80, 0.8)], queries: 400 },
  ],
};

describe("curve", () => {
  test("a plot, a table with the effort for the target, and what other curves say of it", async () => {
    const { code, out } = await recall(await service({ getRecallCurves: () => CURVES }), "curve", "songs");
    expect(code).toBe(0);
    expect(out).toContain(
      " recall@10 of songs_hnsw\n queries: 400: recent searches · exact searches take 16 ms\n",
    );
    expect(out).toMatch(/^ +0\.950 ┼.* target$/m);
    // What searches go by is the lower end.
    expect(out).toMatch(/^ +40 +0\.955 +0\.945 +0\.8 ms$/m);
    expect(out).toMatch(/^ +80 +0\.99 +0\.98 +1\.6 ms +◄ meets 0\.95$/m);
    expect(out).toMatch(/^ songs_hnsw +10 +all rows +80 +0\.99 +1\.6 ms$/m);
    expect(out).toMatch(/^ songs_hnsw +10 +1 % +not met +0\.8 +1\.6 ms$/m);
  });

  test("another one, for another target", async () => {
    const at = await service({ getRecallCurves: () => CURVES });
    const args = ["--selectivity", "0.01", "--recall-target", "0.9"];
    const { out } = await recall(at, "curve", "songs", ...args);
    expect(out).toContain("filter passes 1 % of the rows");
    expect(out).toContain("no effort meets 0.9");
    expect(await recall(at, "curve", "songs", "-k", "7")).toMatchObject({
      code: 1,
      err: expect.stringContaining("There are: -k 10 --selectivity 1; -k 10 --selectivity 0.01"),
    });
  });

  test("before anything was tuned", async () => {
    const { code, out } = await recall(await service({ getRecallCurves: () => ({}) }), "curve", "songs");
    expect({ code, out }).toEqual({ code: 0, out: " nothing is known yet: kindred recall tune songs\n" });
  });
});

test("history", async () => {
  const at = await service({
    listRecallMeasurements: () => ({
      measurements: [MEASURED, { ...MEASURED, upper: 0.94, filterSelectivity: 0.05 }],
    }),
  });
  const { out } = await recall(at, "history", "songs", "--index", "songs_hnsw", "--limit", "5");
  expect(out).toMatch(
    /songs_hnsw +10 +none +64 +0\.9612 +0\.952 to 0\.9701 +0\.95 met +200 +1\.2 ms +24 ms$/m,
  );
  expect(out).toMatch(/songs_hnsw +10 +5 % .* 0\.95 missed /m);
  expect(at.asked("listRecallMeasurements")).toMatchObject([
    { collection: "songs", indexName: "songs_hnsw", pageSize: 5 },
  ]);
});

test("events", async () => {
  const event = {
    collection: "songs",
    indexName: "songs_hnsw",
    recallTarget: 0.95,
    measurement: { ...MEASURED, recall: 0.9, lower: 0.88, upper: 0.92 },
    createdAt: { seconds: 1_750_000_000n },
  };
  const at = await service({ listRecallEvents: () => ({ events: [{ ...event, met: true }, event] }) });
  const { out } = await recall(at, "events");
  expect(out.split("\n")).toEqual([
    expect.stringMatching(/ days ago +songs, songs_hnsw: recall meets its target 0\.95 again: /),
    expect.stringMatching(
      / days ago +songs, songs_hnsw: recall is below its target 0\.95: 0\.9 \(0\.88 to 0\.92 at 95 % confidence\), 200 queries$/,
    ),
    "",
  ]);
  expect((await recall(await service({ listRecallEvents: () => ({}) }), "events", "songs")).out).toMatch(
    /^ none/,
  );
});
