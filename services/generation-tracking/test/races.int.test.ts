import { expect, test } from "@jest/globals";
import { GenerationStatus, type Generation } from "@kindred/contracts/generation-tracking/v1";
import { isKindredError } from "@kindred/errors";
import * as fc from "fast-check";
import { useFixture } from "./use-fixture.ts";

const fixture = useFixture();

const start = async (): Promise<bigint> =>
  (await fixture.client.startGeneration({ generation: { prompt: "a kite" } })).generation?.id ?? 0n;

test("of a hundred that end one generation at once, each otherwise, one does", async () => {
  const id = await start();
  const endings = Array.from({ length: 100 }, (_, i) =>
    i % 2 === 0
      ? fixture.client.completeGeneration({ id, outputs: [{ path: `${i}.png` }, { path: `${i}-small.png` }] })
      : fixture.client.completeGeneration({ id, outputPath: `${i}.png`, seed: BigInt(i) }),
  );
  const outcomes = await Promise.allSettled([
    ...endings,
    ...Array.from({ length: 10 }, () => fixture.lives.failAllAbandoned(10)),
  ]);
  const ended = outcomes.slice(0, 100);
  const winners = ended.flatMap((outcome) =>
    outcome.status === "fulfilled" ? [(outcome.value as { generation?: Generation }).generation] : [],
  );
  expect(winners).toHaveLength(1);
  for (const outcome of ended) {
    if (outcome.status === "rejected")
      expect(outcome.reason).toMatchObject({
        kind: "failed-precondition",
        metadata: { status: "completed" },
      });
  }
  const { generation } = await fixture.client.getGeneration({ id });
  // Nothing of the others' results is in it.
  expect(generation).toEqual(winners[0]);
  const { rows } = await fixture.db.query<{ n: number }>(
    "SELECT count(*)::int AS n FROM generation_outputs WHERE path <> $1 AND path <> replace($1, '.png', '-small.png')",
    [generation?.outputPath],
  );
  expect(rows).toEqual([{ n: 0 }]);
}, 60_000);

test("a lease that is renewed while others sweep is never taken for one that is over", async () => {
  const ids = await Promise.all(Array.from({ length: 20 }, start));
  await fixture.db.query("UPDATE generations SET lease_ms = 600000");
  await Promise.all([
    ...ids.flatMap((id) =>
      Array.from({ length: 5 }, (_, done) => fixture.client.reportProgress({ id, progress: { done } })),
    ),
    ...Array.from({ length: 20 }, () => fixture.lives.failAllAbandoned(1000)),
  ]);
  const { rows } = await fixture.db.query("SELECT DISTINCT status FROM generations");
  expect(rows).toEqual([{ status: "running" }]);
}, 60_000);

/** What a generation is to be after each step, as the contract says it. */
interface Model {
  status: "running" | "completed" | "failed" | "cancelled" | "deleted";
  leaseOver: boolean;
  done: number | undefined;
  path: string;
  error: string;
  rating: number | undefined;
}

type Step =
  | { do: "report"; done: number }
  | { do: "complete"; path: string }
  | { do: "fail"; error: string }
  | { do: "cancel" | "let lease end" | "sweep" | "delete" }
  | { do: "rate"; rating: number };

const steps: fc.Arbitrary<Step> = fc.oneof(
  { weight: 12, arbitrary: fc.record({ do: fc.constant("report" as const), done: fc.nat(100) }) },
  {
    weight: 8,
    arbitrary: fc.record({ do: fc.constant("complete" as const), path: fc.constantFrom("a.png", "b.png") }),
  },
  { weight: 5, arbitrary: fc.record({ do: fc.constant("fail" as const), error: fc.constantFrom("x", "y") }) },
  {
    weight: 12,
    arbitrary: fc.record({
      do: fc.constantFrom("cancel" as const, "let lease end" as const, "sweep" as const),
    }),
  },
  {
    weight: 4,
    arbitrary: fc.record({ do: fc.constant("rate" as const), rating: fc.integer({ min: 1, max: 5 }) }),
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("delete" as const) }) },
);

const ABANDONED = "abandoned: for 60 s nobody said that it was alive";

/** @returns how the call is to end */
function advance(model: Model, step: Step): "ok" | "not-found" | "failed-precondition" {
  if (step.do === "sweep" || step.do === "let lease end" || step.do === "delete") {
    if (model.status === "running") {
      if (step.do === "let lease end") model.leaseOver = true;
      else if (step.do === "sweep" && model.leaseOver) abandon(model);
    }
    if (step.do === "delete") model.status = "deleted";
    return "ok";
  }
  if (model.status === "deleted") return "not-found";
  if (step.do === "rate") {
    model.rating = step.rating;
    return "ok";
  }
  if (model.status === "running" && model.leaseOver) abandon(model);
  if (model.status === "running") {
    if (step.do === "report") model.done = step.done;
    else if (step.do === "complete") Object.assign(model, { status: "completed", path: step.path });
    else if (step.do === "fail") Object.assign(model, { status: "failed", error: step.error });
    else model.status = "cancelled";
    return "ok";
  }
  const again =
    (step.do === "complete" && model.status === "completed" && step.path === model.path) ||
    (step.do === "fail" && model.status === "failed") ||
    (step.do === "cancel" && model.status === "cancelled");
  return again ? "ok" : "failed-precondition";
}

function abandon(model: Model): void {
  Object.assign(model, { status: "failed", error: ABANDONED });
}

async function perform(id: bigint, step: Step): Promise<unknown> {
  switch (step.do) {
    case "report":
      return await fixture.client.reportProgress({ id, progress: { done: step.done } });
    case "complete":
      return await fixture.client.completeGeneration({ id, outputPath: step.path });
    case "fail":
      return await fixture.client.failGeneration({ id, errorMessage: step.error });
    case "cancel":
      return await fixture.client.cancelGeneration({ id });
    case "delete":
      return await fixture.client.deleteGenerations({ ids: [id] });
    case "rate":
      return await fixture.client.updateGeneration({
        id,
        generation: { prompt: "", rating: step.rating },
        updateMask: { paths: ["rating"] },
      });
    case "sweep":
      return await fixture.lives.failAllAbandoned(10);
    case "let lease end":
      return await fixture.db.query(
        `UPDATE generations SET lease_expires_at = clock_timestamp() - INTERVAL '1 second'
          WHERE id = $1 AND status = 'running'`,
        [String(id)],
      );
  }
}

const STATUS = {
  running: GenerationStatus.RUNNING,
  completed: GenerationStatus.COMPLETED,
  failed: GenerationStatus.FAILED,
  cancelled: GenerationStatus.CANCELLED,
};

test("whatever is done with a generation in whatever order, it is what the contract says", async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(steps, { minLength: 1, maxLength: 12 }), async (list) => {
      const id = await start();
      const model: Model = {
        status: "running",
        leaseOver: false,
        done: undefined,
        path: "",
        error: "",
        rating: undefined,
      };
      for (const step of list) {
        const expected = advance(model, step);
        const outcome = await perform(id, step).then(
          () => "ok",
          (error: unknown) => (isKindredError(error) ? error.kind : Promise.reject(error)),
        );
        expect(outcome).toBe(expected);
        if (model.status === "deleted") {
          await expect(fixture.client.getGeneration({ id })).rejects.toMatchObject({ kind: "not-found" });
          continue;
        }
        const { generation } = await fixture.client.getGeneration({ id });
        expect(generation).toMatchObject({
          status: STATUS[model.status],
          outputPath: model.path,
          errorMessage: model.error,
          outputs: model.path === "" ? [] : [{ path: model.path }],
        });
        expect(generation?.progress?.done).toBe(model.done);
        expect(generation?.rating).toBe(model.rating);
        expect(generation?.finishedAt !== undefined).toBe(model.status !== "running");
        expect(generation?.leaseExpiresAt !== undefined).toBe(model.status === "running");
      }
    }),
    { numRuns: 40 },
  );
}, 120_000);
