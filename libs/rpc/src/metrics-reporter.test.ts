import { execFile } from "node:child_process";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { timestampMs } from "@bufbuild/protobuf/wkt";
import { afterEach, describe, expect, test } from "@jest/globals";
import { loadConfig } from "@kindred/config";
import { MetricsService, type MetricSample } from "@kindred/contracts/metrics/v1";
import { KindredError } from "@kindred/errors";
import type { Logger, ProcessSampler } from "@kindred/telemetry";
import {
  serve,
  serverSettings,
  startMetricsReporter,
  type DeliverSamples,
  type MetricSampleInit,
} from "./index.ts";

interface Line {
  level: string;
  message: string;
  fields: Record<string, unknown>;
}

/** A logger that keeps what it is given. */
function recordingLogger(): { logger: Logger; lines: Line[]; messages: (level: string) => string[] } {
  const lines: Line[] = [];
  const writer = (level: string) => (fields: unknown, message?: string) => {
    lines.push(
      typeof fields === "string"
        ? { level, message: fields, fields: {} }
        : { level, message: message ?? "", fields: fields as Record<string, unknown> },
    );
  };
  const logger = Object.fromEntries(
    ["debug", "info", "warn", "error", "trace", "fatal"].map((level) => [level, writer(level)]),
  ) as unknown as Logger;
  return {
    logger,
    lines,
    messages: (level) => lines.filter((line) => line.level === level).map((line) => line.message),
  };
}

/** Samples that say which one they are: 1, 2, 3 … as their memory. */
function countingSampler(): ProcessSampler & { taken: () => number } {
  let taken = 0;
  return {
    taken: () => taken,
    sample: () => Promise.resolve({ sampledAt: new Date(1_700_000_000_000 + taken), memoryUsageMb: ++taken }),
  };
}

/** A metrics service on real ports that keeps what is reported to it. */
async function metricsServer(grpcPort = 0) {
  const received: MetricSample[] = [];
  const config = loadConfig(serverSettings({ grpcPort, httpPort: 0 }), {
    GRPC_PORT: String(grpcPort),
    HTTP_PORT: "0",
  });
  const server = await serve({
    config,
    logger: recordingLogger().logger,
    routes: (router) => {
      router.service(MetricsService, {
        reportMetrics: ({ samples }) => {
          received.push(...samples);
          return {};
        },
      });
    },
  });
  return { received, port: server.grpcPort, [Symbol.asyncDispose]: () => server[Symbol.asyncDispose]() };
}

async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await sleep(2);
}

const memories = (samples: readonly MetricSampleInit[]): unknown[] => samples.map((s) => s.memoryUsageMb);

let cleanup = new AsyncDisposableStack();
afterEach(async () => {
  await cleanup.disposeAsync();
  cleanup = new AsyncDisposableStack();
});

describe("with a metrics service", () => {
  test("every sample arrives once, in order, with its component, time and connections", async () => {
    const server = cleanup.use(await metricsServer());
    const { logger, lines } = recordingLogger();
    cleanup.use(
      startMetricsReporter({
        component: "embedding",
        address: `127.0.0.1:${server.port}`,
        sampleEveryMs: 5,
        activeConnections: () => 7,
        sampler: countingSampler(),
        logger,
      }),
    );
    await until(() => server.received.length >= 5);
    for (const [i, sample] of server.received.entries()) {
      expect(sample.memoryUsageMb).toBe(i + 1);
      expect(sample.component).toBe("embedding");
      expect(timestampMs(sample.timestamp as NonNullable<typeof sample.timestamp>)).toBe(
        1_700_000_000_000 + i,
      );
      expect(sample.activeConnections).toBe(7);
      // What the sampler did not give is not set, and never zero.
      expect(sample.cpuUsage).toBeUndefined();
      expect(sample.gpuMemoryMb).toBeUndefined();
    }
    expect(lines).toEqual([]);
  });

  test("disposing ends it: nothing is sampled or sent afterwards", async () => {
    const server = cleanup.use(await metricsServer());
    const sampler = countingSampler();
    const reporter = startMetricsReporter({
      component: "x",
      address: `127.0.0.1:${server.port}`,
      sampleEveryMs: 2,
      sampler,
      logger: recordingLogger().logger,
    });
    await until(() => server.received.length > 0);
    await reporter[Symbol.asyncDispose]();
    const taken = sampler.taken();
    // What was on its way arrives yet.
    await sleep(100);
    const before = [server.received.length, taken];
    await sleep(30);
    expect([server.received.length, sampler.taken()]).toEqual(before);
  });

  test("it keeps no process alive", async () => {
    const server = cleanup.use(await metricsServer());
    const script = `
      const { startMetricsReporter } = await import(${JSON.stringify(new URL("./index.ts", import.meta.url).href)});
      const logger = { debug() {}, info() {}, warn() {}, error: console.error };
      startMetricsReporter({ component: "child", address: "127.0.0.1:${server.port}", sampleEveryMs: 10, logger });
      setTimeout(() => {}, 1000);`;
    await promisify(execFile)(process.execPath, ["--input-type=module", "-e", script], {
      cwd: fileURLToPath(new URL("..", import.meta.url)),
      timeout: 120_000,
    });
    expect(server.received.length).toBeGreaterThan(0);
    expect(server.received[0]).toMatchObject({ component: "child" });
    expect(server.received[0]?.memoryUsageMb).toBeGreaterThan(0);
  });
});

test("while the service is away the newest samples wait, with one warning; they arrive when it is back, with one line", async () => {
  const gone = await metricsServer();
  await gone[Symbol.asyncDispose]();
  const { logger, lines, messages } = recordingLogger();
  const sampler = countingSampler();
  cleanup.use(
    startMetricsReporter({
      component: "x",
      address: `127.0.0.1:${gone.port}`,
      sampleEveryMs: 10,
      maxWaiting: 3,
      sampler,
      logger,
    }),
  );
  await until(() => messages("warn").length > 0);
  const warnedAt = sampler.taken();
  await until(() => sampler.taken() > warnedAt + 8);
  expect(messages("warn")).toHaveLength(1);
  expect(messages("info")).toEqual([]);

  const takenBefore = sampler.taken();
  const server = cleanup.use(await metricsServer(gone.port));
  await until(() => messages("info").length > 0);
  await until(() => server.received.length >= 6);
  const [first] = memories(server.received) as [number];
  expect(first).toBeGreaterThan(takenBefore - 3);
  expect(memories(server.received)).toEqual(server.received.map((_, i) => first + i));
  expect(messages("warn")).toHaveLength(1);
  expect(lines.filter((line) => line.level === "info")).toMatchObject([
    { message: "the metrics service is back", fields: { samples_lost: first - 1 } },
  ]);
});

/** A reporter to a function, every 2 ms. */
function start(deliver: DeliverSamples, maxWaiting = 60) {
  const log = recordingLogger();
  const sampler = countingSampler();
  const reporter = startMetricsReporter({
    component: "x",
    deliver,
    sampleEveryMs: 2,
    maxWaiting,
    sampler,
    logger: log.logger,
  });
  cleanup.use(reporter);
  return { ...log, sampler, reporter };
}

describe("delivery", () => {
  test("one call at a time: what is sampled meanwhile waits for the next one, the oldest dropped", async () => {
    const calls: unknown[][] = [];
    let release = Promise.withResolvers<void>();
    let running = 0;
    const { sampler } = start(async (samples) => {
      expect(++running).toBe(1);
      calls.push(memories(samples));
      await release.promise;
      running -= 1;
    }, 4);
    await until(() => calls.length === 1);
    await until(() => sampler.taken() >= 10);
    const taken = sampler.taken();
    const held = release;
    release = Promise.withResolvers();
    held.resolve();
    await until(() => calls.length === 2);
    expect(calls[0]).toEqual([1]);
    const second = calls[1] as number[];
    expect(second).toHaveLength(4);
    expect(second[0]).toBeGreaterThanOrEqual(taken - 3);
    expect(second).toEqual(second.map((_, i) => (second[0] as number) + i));
    release.resolve();
  });

  test("what was refused, or perhaps stored, is not sent again", async () => {
    const seen: unknown[] = [];
    const { messages } = start((samples) => {
      seen.push(...memories(samples));
      const kind = seen.length % 2 ? "invalid-argument" : "deadline-exceeded";
      return Promise.reject(new KindredError(kind, "no"));
    });
    await until(() => seen.length >= 6);
    expect(seen).toEqual(seen.map((_, i) => i + 1));
    expect(messages("warn")).toHaveLength(1);
  });

  test("one failure that the next call makes good is nothing to report", async () => {
    const seen: unknown[] = [];
    let calls = 0;
    const { lines } = start((samples) => {
      if (++calls === 1) return Promise.reject(new KindredError("unavailable", "not yet"));
      seen.push(...memories(samples));
      return Promise.resolve();
    });
    await until(() => seen.length >= 4);
    expect(seen).toEqual(seen.map((_, i) => i + 1));
    expect(lines).toEqual([]);
  });

  test("disposing gives up a call that hangs", async () => {
    const called = Promise.withResolvers<AbortSignal>();
    const { reporter, lines } = start((_, signal) => {
      called.resolve(signal);
      return new Promise((_resolve, reject) => {
        signal.addEventListener("abort", () => reject(new KindredError("cancelled", "aborted")));
      });
    });
    const signal = await called.promise;
    expect(signal.aborted).toBe(false);
    await reporter[Symbol.asyncDispose]();
    expect(signal.aborted).toBe(true);
    expect(lines).toEqual([]);
  });

  test("a sampler that fails is logged, and sampled again", async () => {
    const { logger, messages } = recordingLogger();
    let calls = 0;
    const seen: unknown[] = [];
    cleanup.use(
      startMetricsReporter({
        component: "x",
        deliver: (samples) => Promise.resolve(seen.push(...memories(samples))),
        sampleEveryMs: 2,
        sampler: {
          sample: () =>
            ++calls === 1
              ? Promise.reject(new Error("no /proc"))
              : Promise.resolve({ sampledAt: new Date(), memoryUsageMb: calls }),
        },
        logger,
      }),
    );
    await until(() => seen.length >= 2);
    expect(messages("error")).toEqual(["this process could not be sampled"]);
    expect(seen.slice(0, 2)).toEqual([2, 3]);
  });
});
