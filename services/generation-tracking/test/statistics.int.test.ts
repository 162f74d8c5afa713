import { expect, test } from "@jest/globals";
import { GenerationStatus } from "@kindred/contracts/generation-tracking/v1";
import * as fc from "fast-check";
import { useFixture } from "./use-fixture.ts";

const fixture = useFixture();

const STATUS = {
  completed: GenerationStatus.COMPLETED,
  failed: GenerationStatus.FAILED,
  cancelled: GenerationStatus.CANCELLED,
};

test("with nothing recorded everything is zero, and there is no average", async () => {
  const statistics = await fixture.client.getStatistics({});
  expect(statistics).toMatchObject({ totalGenerations: 0n, recentGenerations: 0n });
  expect(statistics.avgGenerationTimeMs).toBeUndefined();
  expect(statistics.byStatus.map(({ status, count }) => [status, count])).toEqual([
    [1, 0n],
    [2, 0n],
    [3, 0n],
    [4, 0n],
  ]);
});

test("they are those of a plain computation on random generations", async () => {
  const rows = fc.array(
    fc.record({
      status: fc.constantFrom("completed", "failed", "cancelled" as const),
      timeMs: fc.option(fc.integer({ min: 0, max: 2_147_483_647 })),
      // Never within a minute of the boundary, which the clock moves.
      ageMinutes: fc.integer({ min: 0, max: 2880 }).filter((age) => Math.abs(age - 1440) > 1),
    }),
    { maxLength: 60 },
  );
  await fc.assert(
    fc.asyncProperty(rows, async (all) => {
      await fixture.clear();
      await fixture.db.query(
        `INSERT INTO generations (prompt, status, generation_time_ms, created_at)
         SELECT 'x', status, time_ms, now() - age * INTERVAL '1 minute'
           FROM unnest($1::text[], $2::int[], $3::int[]) AS t (status, time_ms, age)`,
        [all.map((r) => r.status), all.map((r) => r.timeMs), all.map((r) => r.ageMinutes)],
      );
      const times = all
        .filter((r) => r.status === "completed" && r.timeMs !== null)
        .map((r) => r.timeMs as number);
      const sum = times.reduce((total, time) => total + BigInt(time), 0n);
      const statistics = await fixture.client.getStatistics({});
      expect(statistics.totalGenerations).toBe(BigInt(all.length));
      expect(statistics.recentGenerations).toBe(BigInt(all.filter((r) => r.ageMinutes < 1440).length));
      expect(statistics.avgGenerationTimeMs).toBe(
        times.length === 0 ? undefined : Number(sum) / times.length,
      );
      for (const [name, status] of Object.entries(STATUS)) {
        expect(statistics.byStatus.find((entry) => entry.status === status)?.count).toBe(
          BigInt(all.filter((r) => r.status === name).length),
        );
      }
    }),
    { numRuns: 25 },
  );
});

test("they agree with each other while generations are recorded", async () => {
  const recording = Promise.all(
    Array.from({ length: 40 }, (_, i) =>
      fixture.client.recordGeneration({
        generation: { prompt: "x", status: ((i % 3) + 1) as GenerationStatus },
      }),
    ),
  );
  for (let i = 0; i < 10; i++) {
    const { totalGenerations, recentGenerations, byStatus } = await fixture.client.getStatistics({});
    expect(byStatus.reduce((sum, { count }) => sum + count, 0n)).toBe(totalGenerations);
    expect(recentGenerations).toBe(totalGenerations);
  }
  await recording;
  expect((await fixture.client.getStatistics({})).totalGenerations).toBe(40n);
});
