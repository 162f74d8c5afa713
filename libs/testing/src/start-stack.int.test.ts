import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { startStack, type Stack } from "./index.ts";

let stack: Stack;
beforeAll(async () => {
  stack = await startStack({
    services: ["generation-tracking", "metrics"],
    env: { METRICS_SAMPLE_INTERVAL: "200ms" },
  });
}, 60_000);
afterAll(async () => {
  await stack?.[Symbol.asyncDispose]();
});

/** A call as `curl` makes it. */
async function call(name: string, method: string, request: object): Promise<Record<string, unknown>> {
  const response = await fetch(`${stack.httpUrls[name]}/${method}`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify(request),
  });
  expect(response.status).toBe(200);
  return (await response.json()) as Record<string, unknown>;
}

const RECORD = "kindred.generation_tracking.v1.GenerationService/RecordGeneration";
const LIST = "kindred.generation_tracking.v1.GenerationService/ListGenerations";
const STATS = "kindred.metrics.v1.MetricsService/GetDatabaseStats";

test("has the services that were asked for, on ports and a database of their own, and they know each other", async () => {
  expect(Object.keys(stack.addresses)).toEqual(["generation-tracking", "metrics"]);
  expect(stack.database?.url).toMatch(/^postgres/);
  expect(stack.originUrl).toBeUndefined();
  await call("generation-tracking", RECORD, { generation: { prompt: "a kite" } });
  const stats = await call("metrics", STATS, {});
  expect(stats).toMatchObject({ totalGenerations: "1", unavailable: [{ service: "vector-store" }] });
  // Left out of this stack, and not taken from anybody else's.
  expect(stats).not.toHaveProperty("totalImages");
}, 60_000);

test("a killed process comes back on the same ports", async () => {
  const before = stack.process("generation-tracking").pid as number;
  await stack.killAndAwaitRestart("generation-tracking");
  const after = stack.process("generation-tracking").pid as number;
  expect(after).not.toBe(before);
  const { generations } = await call("generation-tracking", LIST, {});
  expect(generations).toMatchObject([{ prompt: "a kite" }]);
}, 60_000);

test("keeps what the processes have written", () => {
  expect(stack.logs("metrics").some((line) => line.includes('"msg":"ready"'))).toBe(true);
  expect(stack.logs("generation-tracking").filter((line) => line.includes('"msg":"ready"'))).toHaveLength(2);
  expect(() => stack.process("embedding")).toThrow(
    "the stack has no embedding; it has generation-tracking, metrics",
  );
});

test("disposing of it ends every process", async () => {
  const small = await startStack({ services: ["metrics"] });
  const pid = small.process("metrics").pid as number;
  await small[Symbol.asyncDispose]();
  expect(() => process.kill(pid, 0)).toThrow("ESRCH");
  expect(small.process("metrics").state).toEqual({ kind: "stopped" });
}, 60_000);

test("a service that cannot start is an error that names it", async () => {
  await expect(
    startStack({ services: ["metrics"], env: { METRICS_SAMPLE_INTERVAL: "never" } }),
  ).rejects.toThrow(/metrics cannot start: exit code 78: [^]*METRICS_SAMPLE_INTERVAL/);
}, 60_000);
