import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { loadConfig } from "@kindred/config";
import {
  MetricName,
  MetricSource,
  MetricsService,
  Resolution,
  type QueryHistoryRequest,
} from "@kindred/contracts/metrics/v1";
import { serve, serverSettings, type RpcServer } from "@kindred/rpc";
import { silentLogger } from "@kindred/testing";
import { runInProcess } from "./run-in-process.ts";

const FROM = Date.UTC(2025, 10, 1);
const HOUR_MS = 3_600_000;
const at = (ms: number) => timestampFromMs(FROM + ms);
const asked: QueryHistoryRequest[] = [];
let server: RpcServer;
let env: Record<string, string>;

/** The service's contract with figures that a person can check. */
beforeAll(async () => {
  server = await serve({
    config: loadConfig(serverSettings({ grpcPort: 0, httpPort: 0 }), {}),
    logger: silentLogger(),
    routes: (router) =>
      router.service(MetricsService, {
        listComponents: () => ({
          components: [
            {
              component: "embedding",
              instance: "pod-1",
              silent: true,
              latest: {
                timestamp: timestampFromMs(Date.now() - 90_000),
                cpuUsage: 187.4,
                memoryUsageMb: 1536,
                cpuSource: MetricSource.CGROUP2,
                gpuProblem: "MIG is not supported: GPU 0 is partitioned",
              },
            },
          ],
        }),
        queryHistory: (request) => {
          asked.push(request);
          return {
            from: at(0),
            to: at(4 * HOUR_MS),
            resolution: Resolution.HOUR,
            series: [
              {
                component: "embedding",
                instance: "pod-1",
                metric: MetricName.CPU_USAGE,
                points: [
                  { timestamp: at(0), avg: 10, min: 5, max: 20, p95: 19, count: 300n },
                  { timestamp: at(3 * HOUR_MS), avg: 50, min: 30, max: 80, p95: 70, count: 100n },
                ],
              },
            ],
          };
        },
        async *watchMetrics(request) {
          expect(request.backlogMinutes).toBe(5);
          const sample = { component: "a", timestamp: at(0), cpuUsage: 12.25 };
          yield { samples: [sample, { ...sample, component: "b" }], dropped: 7n };
        },
      }),
  });
  env = { KINDRED_URL: `http://127.0.0.1:${server.httpPort}` };
});
afterAll(async () => {
  await server?.[Symbol.asyncDispose]();
});

test("list has a row for each process, leaves empty what is not measured, and says why there is no GPU", async () => {
  const { code, out } = await runInProcess(["metrics", "list"], env);
  expect(code).toBe(0);
  expect(out).toMatch(/embedding +pod-1 +1 min ago, silent +187 % +1\.5 GiB +cgroup 2/);
  expect(out).toContain("embedding: MIG is not supported: GPU 0 is partitioned");
});

test("history draws each series over the whole period, with gaps, and weighs means by their samples", async () => {
  const { code, out } = await runInProcess(
    ["metrics", "history", "embedding", "--hours", "4", "--metric", "cpu", "--resolution", "hour"],
    env,
  );
  expect(code).toBe(0);
  const lines = out.split("\n");
  expect(lines[1]).toBe(" embedding pod-1");
  expect(lines[2]).toMatch(/cpu +▁ +█ +5\.0 % +20 % +80 % +50 %$/);
  expect(out).toContain("hours");
  expect(asked.at(-1)).toMatchObject({
    hours: 4,
    components: ["embedding"],
    metrics: [MetricName.CPU_USAGE],
    resolution: Resolution.HOUR,
  });
});

test("history prints JSON for programs, with every name of the contract", async () => {
  const { out } = await runInProcess(["metrics", "history", "--json"], env);
  const { series } = JSON.parse(out) as { series: { metric: string; points: object[] }[] };
  expect(series[0]).toMatchObject({ metric: "METRIC_NAME_CPU_USAGE" });
  expect(series[0]?.points[1]).toMatchObject({ avg: 50, count: 100 });
});

test.each([
  [["--hours", "1", "--from", "2025-11-01"], "--hours and --from exclude each other"],
  [["--metric", "heat"], "It must be one of cpu, memory, disk, gpu, connections, lag."],
  [["--resolution", "day"], "Allowed choices are auto, raw, minute, hour."],
])("history refuses %j", async (options, message) => {
  const { code, err } = await runInProcess(["metrics", "history", ...options], env);
  expect([code, err]).toEqual([2, expect.stringContaining(message)]);
});

test("watch prints a line a sample, says what was left out, and gives up when the service is away for too long", async () => {
  const { code, out, err } = await runInProcess(
    ["metrics", "watch", "--backlog", "5", "--patience", "0", "--json"],
    env,
  );
  const lines = out
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line) as { component: string; cpu_usage: number });
  expect(lines).toMatchObject([
    { component: "a", cpu_usage: 12.25 },
    { component: "b", cpu_usage: 12.25 },
  ]);
  expect(err).toContain("7 samples were left out");
  // This stream ends by itself, which a service's never does.
  expect(code).toBe(69);
});
