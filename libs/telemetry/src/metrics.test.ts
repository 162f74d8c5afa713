import { afterEach, describe, expect, test } from "@jest/globals";
import { createMetrics, DURATION_BUCKETS, observePool, type Metrics } from "./index.ts";

const open: Metrics[] = [];
afterEach(() => {
  for (const metrics of open.splice(0)) metrics[Symbol.dispose]();
});

function start(): Metrics {
  const metrics = createMetrics({ component: "test" });
  open.push(metrics);
  return metrics;
}

/** The series whose name begins with `prefix`, by name and labels. */
async function series(metrics: Metrics, prefix: string): Promise<Record<string, number>> {
  const { body } = await metrics.render();
  const lines = body.split("\n").filter((line) => line.startsWith(prefix));
  return Object.fromEntries(
    lines.map((line) => {
      const space = line.lastIndexOf(" ");
      return [line.slice(0, space), Number(line.slice(space + 1))];
    }),
  );
}

test("counters and gauges keep a value for each combination of labels, and say which component they are of", async () => {
  const metrics = start();
  const hits = metrics.counter({ name: "kindred_hits_total", help: "Hits.", labels: ["cache"] });
  hits.inc({ cache: "vectors" });
  hits.inc({ cache: "vectors" }, 4);
  hits.inc({ cache: "files" });
  const depth = metrics.gauge({ name: "kindred_queue_tokens", help: "Waiting." });
  depth.set(7);
  depth.inc();
  depth.dec(3);
  expect(await series(metrics, "kindred_")).toEqual({
    'kindred_hits_total{cache="vectors",component="test"}': 5,
    'kindred_hits_total{cache="files",component="test"}': 1,
    'kindred_queue_tokens{component="test"}': 5,
  });
  expect((await metrics.render()).contentType).toBe("text/plain; version=0.0.4; charset=utf-8");
});

test("a histogram of seconds has buckets from 0.25 ms to a minute; any other has its own", async () => {
  const metrics = start();
  metrics.histogram({ name: "kindred_work_seconds", help: "Work." }).observe(0.002);
  metrics
    .histogram({ name: "kindred_batch_tokens", help: "Tokens.", labels: ["model"], buckets: [8, 64] })
    .observe({ model: "a" }, 9);
  const found = await series(metrics, "kindred_");
  expect(
    DURATION_BUCKETS.map((le) => found[`kindred_work_seconds_bucket{le="${le}",component="test"}`]),
  ).toEqual(DURATION_BUCKETS.map((le) => (le >= 0.002 ? 1 : 0)));
  expect(found['kindred_batch_tokens_bucket{le="8",component="test",model="a"}']).toBe(0);
  expect(found['kindred_batch_tokens_bucket{le="64",component="test",model="a"}']).toBe(1);
  expect(found['kindred_batch_tokens_sum{component="test",model="a"}']).toBe(9);
});

describe("collect", () => {
  test("is asked each time, and what it no longer names is gone", async () => {
    const metrics = start();
    let models = ["a", "b"];
    metrics.gauge({
      name: "kindred_model_bytes",
      help: "Size.",
      labels: ["model"],
      collect: () => models.map((model, i) => ({ labels: { model }, value: i })),
    });
    let total = 10;
    metrics.counter({ name: "kindred_done_total", help: "Done.", collect: async () => total });
    expect(Object.keys(await series(metrics, "kindred_model_bytes"))).toHaveLength(2);
    models = ["b"];
    total = 12;
    expect(await series(metrics, "kindred_")).toEqual({
      'kindred_model_bytes{model="b",component="test"}': 0,
      'kindred_done_total{component="test"}': 12,
    });
  });

  test("a failure is the reader's to see", async () => {
    const metrics = start();
    metrics.gauge({ name: "kindred_broken", help: "-", collect: () => Promise.reject(new Error("no disk")) });
    await expect(metrics.render()).rejects.toThrow("no disk");
  });
});

test("a pool's connections are idle or in use", async () => {
  const metrics = start();
  observePool(metrics, () => ({ total: 7, idle: 2, waiting: 3, max: 9 }));
  expect(await series(metrics, "kindred_db_")).toEqual({
    'kindred_db_pool_connections{state="idle",component="test"}': 2,
    'kindred_db_pool_connections{state="in_use",component="test"}': 5,
    'kindred_db_pool_max_connections{component="test"}': 9,
    'kindred_db_pool_waiting{component="test"}': 3,
  });
});

test.each([
  "kindred_Work_seconds",
  "kindred_x-y_seconds",
  "kindred_wait_ms_seconds_",
  "kindred__x_seconds",
] as const)("%s is no name", (name) => {
  expect(() => start().gauge({ name, help: "-" })).toThrow(TypeError);
});

test.each([
  "kindred_wait_ms",
  "kindred_size_mb",
  "kindred_load_percent",
  "kindred_wait_minutes_total",
] as const)("%s is in no base unit", (name) => {
  expect(() => start().gauge({ name, help: "-" })).toThrow(/seconds, bytes and ratios/);
});

test("a name is taken once in a registry, and free in the next one", async () => {
  const [one, other] = [start(), start()];
  one.counter({ name: "kindred_x_total", help: "-" });
  expect(() => one.counter({ name: "kindred_x_total", help: "-" })).toThrow(/already/);
  other.counter({ name: "kindred_x_total", help: "-" }).inc();
  expect(await series(one, "kindred_x")).toEqual({ 'kindred_x_total{component="test"}': 0 });
});

describe("the process", () => {
  test("is described by the names that Prometheus' clients share", async () => {
    const found = await series(start(), "");
    const value = (name: string): number => found[`${name}{component="test"}`] as number;
    expect(value("process_cpu_seconds_total")).toBeCloseTo(
      process.cpuUsage().user / 1e6 + process.cpuUsage().system / 1e6,
      0,
    );
    expect(value("process_resident_memory_bytes")).toBeGreaterThan(10e6);
    expect(value("process_start_time_seconds") * 1000).toBeLessThanOrEqual(Date.now());
    expect(value("nodejs_heap_size_used_bytes")).toBeLessThan(value("nodejs_heap_size_limit_bytes"));
    expect(value("nodejs_eventloop_active_seconds_total")).toBeGreaterThan(0);
    if (process.platform === "linux") {
      expect(value("process_open_fds")).toBeGreaterThan(2);
      expect(value("process_open_fds")).toBeLessThanOrEqual(value("process_max_fds"));
    }
  });

  test("a blocked event loop shows as lag, until one stops looking", async () => {
    const metrics = start();
    const block = async (): Promise<void> => {
      const until = performance.now() + 150;
      while (performance.now() < until);
      await new Promise((resolve) => setTimeout(resolve, 60));
    };
    await block();
    const lag = await series(metrics, "nodejs_eventloop_lag_seconds");
    const late = (count: number, under: number): number => count - under;
    expect(
      late(
        lag['nodejs_eventloop_lag_seconds_count{component="test"}'] as number,
        lag['nodejs_eventloop_lag_seconds_bucket{le="0.1",component="test"}'] as number,
      ),
    ).toBeGreaterThanOrEqual(1);
    metrics[Symbol.dispose]();
    expect((await metrics.render()).body.trim()).toBe("");
  });
});
