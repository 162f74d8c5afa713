import type { MessageInitShape } from "@bufbuild/protobuf";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import { createClient } from "@connectrpc/connect";
import { describe, expect, test } from "@jest/globals";
import {
  MetricName,
  MetricsService,
  type QueryHistoryRequestSchema,
  type Resolution,
  type GetMetricsHistoryRequestSchema,
  type MetricSampleSchema,
} from "@kindred/contracts/metrics/v1";
import { createInMemoryTransport } from "@kindred/rpc";
import { badFieldsOf, problemsOf, silentLogger } from "@kindred/testing";
import { metricsRoutes, type MetricsDeps } from "./routes.ts";

/** Bad input is refused before anything is asked: this fails the test when it is. */
const untouchable = new Proxy({} as MetricsDeps, {
  get: (_, dependency) =>
    new Proxy(
      {},
      {
        get: (_dependency, name) => () => {
          throw new Error(`asked: ${String(dependency)}.${String(name)}`);
        },
      },
    ),
});

const client = createClient(
  MetricsService,
  createInMemoryTransport(metricsRoutes(untouchable), { logger: silentLogger() }),
);

describe("ReportMetrics refuses", () => {
  test.each([0, 1001])("%d samples", async (length) => {
    const samples = Array.from({ length }, () => ({ component: "x" }));
    expect(await problemsOf(client.reportMetrics({ samples }))).toEqual([
      `samples must be 1 to 1000, are ${length}`,
    ]);
  });

  const bad: [string, MessageInitShape<typeof MetricSampleSchema>, string, string][] = [
    ["no component", { component: "" }, "component", "must not be empty"],
    [
      "a component of 51 characters",
      { component: "x".repeat(51) },
      "component",
      "must be at most 50 characters, has 51",
    ],
    [
      "51 characters outside the BMP",
      { component: "🦘".repeat(51) },
      "component",
      "must be at most 50 characters, has 51",
    ],
    ["a component with NUL", { component: "a\0" }, "component", "must not contain NUL characters"],
    ["NaN", { cpuUsage: Number.NaN }, "cpu_usage", "must be a finite number, is NaN"],
    ["negative use", { cpuUsage: -0.01 }, "cpu_usage", "must not be negative, is -0.01"],
    [
      "infinite memory",
      { memoryUsageMb: Infinity },
      "memory_usage_mb",
      "must be a finite number, is Infinity",
    ],
    ["a negative disk", { diskUsageMb: -1 }, "disk_usage_mb", "must not be negative, is -1"],
    ["negative GPU memory", { gpuMemoryMb: -1 }, "gpu_memory_mb", "must not be negative, is -1"],
    [
      "an instance of 101 characters",
      { instance: "x".repeat(101) },
      "instance",
      "must be at most 100 characters, has 101",
    ],
    ["a negative lag", { eventLoopLagMs: -1 }, "event_loop_lag_ms", "must not be negative, is -1"],
    ["an infinite limit", { cpuLimit: Infinity }, "cpu_limit", "must be a finite number, is Infinity"],
    [
      "65 GPUs",
      { gpus: Array.from({ length: 65 }, (_, index) => ({ index })) },
      "gpus",
      "must be at most 64, are 65",
    ],
    [
      "a GPU of negative power",
      { gpus: [{ index: 0 }, { index: 1, power: -1 }] },
      "gpus[1].power",
      "must not be negative, is -1",
    ],
    ["negative connections", { activeConnections: -1 }, "active_connections", "must not be negative, is -1"],
    [
      "a time of the year 10000",
      { timestamp: { seconds: 253_402_300_800n } },
      "timestamp",
      "must be a time of the years 1 to 9999 with 0 to 999999999 nanos",
    ],
    [
      "a time far ahead",
      { timestamp: timestampFromMs(Date.now() + 25 * 3_600_000) },
      "timestamp",
      "must not be more than 24 hours ahead",
    ],
  ];

  test.each(bad)("%s", async (_, sample, field, description) => {
    const samples = [{ component: "fine" }, { component: "x", ...sample } as typeof sample];
    expect(await problemsOf(client.reportMetrics({ samples }))).toEqual([
      `samples[1].${field} ${description}`,
    ]);
  });

  test("several bad samples, all named", async () => {
    const samples = [
      { component: "" },
      { component: "x" },
      { component: "y", cpuUsage: -1, activeConnections: -2 },
    ];
    expect(await badFieldsOf(client.reportMetrics({ samples }))).toEqual([
      "samples[0].component",
      "samples[2].cpu_usage",
      "samples[2].active_connections",
    ]);
  });
});

describe("GetMetricsHistory refuses", () => {
  const bad: [string, MessageInitShape<typeof GetMetricsHistoryRequestSchema>, string][] = [
    ["negative hours", { hours: -1 }, "hours"],
    ["more than a year", { hours: 8760.01 }, "hours"],
    ["hours that are no number", { hours: Number.NaN }, "hours"],
    ["infinite hours", { hours: Infinity }, "hours"],
    ["a component of 51 characters", { component: "x".repeat(51) }, "component"],
    ["a component with NUL", { component: "\0" }, "component"],
    ["a negative limit", { limit: -1 }, "limit"],
    ["a limit of 100,001", { limit: 100_001 }, "limit"],
  ];

  test.each(bad)("%s", async (_, request, field) => {
    expect(await badFieldsOf(client.getMetricsHistory(request))).toEqual([field]);
  });
});

describe("QueryHistory refuses", () => {
  const from = timestampFromMs(1_700_000_000_000);
  const bad: [string, MessageInitShape<typeof QueryHistoryRequestSchema>, string][] = [
    ["negative hours", { hours: -1 }, "hours"],
    ["more than ten years", { hours: 87_600.1 }, "hours"],
    ["hours that are no number", { hours: Number.NaN }, "hours"],
    ["hours with a beginning", { hours: 1, from }, "hours"],
    ["an end before the beginning", { from, to: timestampFromMs(1_600_000_000_000) }, "from"],
    ["an end before the hours", { hours: 1, to: from }, "to"],
    ["a time of no year", { from: { seconds: 2n ** 60n } }, "from"],
    ["a component of 51 characters", { components: ["a", "x".repeat(51)] }, "components[1]"],
    ["a quantity that is none", { metrics: [MetricName.CPU_USAGE, 99 as MetricName] }, "metrics[1]"],
    ["no quantity", { metrics: [MetricName.UNSPECIFIED] }, "metrics[0]"],
    ["a resolution that is none", { resolution: 9 as Resolution }, "resolution"],
    ["more points than a message holds", { maxPoints: 500_001 }, "max_points"],
  ];

  test.each(bad)("%s", async (_, request, field) => {
    expect(await badFieldsOf(client.queryHistory(request))).toContain(field);
  });
});

test.each([
  [{ backlogMinutes: 61 }, "backlog_minutes"],
  [{ backlogMinutes: -1 }, "backlog_minutes"],
  [{ components: ["\0"] }, "components[0]"],
])("WatchMetrics refuses %j", async (request, field) => {
  const first = client.watchMetrics(request)[Symbol.asyncIterator]().next();
  expect(await badFieldsOf(first)).toEqual([field]);
});
