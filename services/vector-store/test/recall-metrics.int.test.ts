import { expect, test } from "@jest/globals";
import { createMetrics } from "@kindred/telemetry";
import { recallStore } from "../src/adapters/postgres/recall-store.ts";
import { recallMetrics } from "../src/adapters/telemetry/recall-metrics.ts";
import { openFixture } from "./fixture.ts";

const MEASUREMENT = {
  collection: "things",
  indexName: "things_idx",
  k: 10,
  effort: 40,
  selectivity: 1,
  recall: 0.5,
  lower: 0.4,
  upper: 0.6,
  confidence: 0.95,
  queries: 100,
  recentQueries: 0,
  indexMs: 1,
  exactMs: 2,
  recallTarget: 0.95,
  rows: 1000,
};

test("metrics show what was last measured for a target, by whichever replica, of indexes that are there", async () => {
  await using fixture = await openFixture();
  const { collection } = await fixture.collections.createCollection({ name: "things", dimensions: 4 });
  const buildIndex = async (): Promise<number> => {
    // Of whatever kind: recall is measured elsewhere.
    await fixture.db.query("DROP INDEX IF EXISTS vector_store.things_idx");
    await fixture.db.query(`CREATE INDEX things_idx ON vector_store."${collection?.table?.table}" ((1))`);
    const { rows } = await fixture.db.query<{ oid: number }>(
      "SELECT 'vector_store.things_idx'::regclass::oid::int AS oid",
    );
    return rows[0]?.oid as number;
  };
  using metrics = createMetrics({ component: "test" });
  recallMetrics(metrics, recallStore(fixture.db));
  const shown = async (): Promise<string[]> =>
    [...(await metrics.render()).body.matchAll(/^kindred_vector_store_recall\{(.*)\} (.*)$/gm)].map(
      ([, labels, value]) => `${labels} ${value}`,
    );
  const series = (value: number): string =>
    `collection="things",index="things_idx",component="test" ${value}`;
  const { recall } = fixture.store;

  const indexOid = await buildIndex();
  expect(await shown()).toEqual([]);
  await recall.keepMeasurement({ ...MEASUREMENT, indexOid }, {});
  expect(await shown()).toEqual([series(0.5)]);
  // What another replica has measured since; what was measured at an effort that somebody named, or under a filter, is something else.
  await recall.keepMeasurement({ ...MEASUREMENT, indexOid, recall: 0.97 }, {});
  await recall.keepMeasurement({ ...MEASUREMENT, indexOid, recall: 0.1, recallTarget: undefined }, {});
  await recall.keepMeasurement({ ...MEASUREMENT, indexOid, recall: 0.2, selectivity: 0.01 }, {});
  expect(await shown()).toEqual([series(0.97)]);
  // Built again, it is another index.
  await recall.keepMeasurement({ ...MEASUREMENT, indexOid: await buildIndex(), recall: 0.9 }, {});
  expect(await shown()).toEqual([series(0.9)]);
  await fixture.collections.deleteCollection({ name: "things" });
  expect(await shown()).toEqual([]);
});
