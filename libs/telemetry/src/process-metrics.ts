import { readdir, readFile } from "node:fs/promises";
import {
  constants,
  performance,
  PerformanceObserver,
  type NodeGCPerformanceDetail,
  type PerformanceEntry,
} from "node:perf_hooks";
import { getHeapStatistics } from "node:v8";
import { Counter, Gauge, Histogram, type Registry } from "prom-client";
import { LAG_EVERY_MS, watchEventLoop } from "./event-loop-lag.ts";

const LAG_BUCKETS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5];
const GC_BUCKETS = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1];
const GC_KINDS = new Map<number | undefined, string>([
  [constants.NODE_PERFORMANCE_GC_MAJOR, "major"],
  [constants.NODE_PERFORMANCE_GC_MINOR, "minor"],
  [constants.NODE_PERFORMANCE_GC_INCREMENTAL, "incremental"],
  [constants.NODE_PERFORMANCE_GC_WEAKCB, "weakcb"],
]);

/**
 * The process's own metrics, by the names of Prometheus' client libraries. prom-client brings such a set, but it cannot be
 * stopped, counts one garbage collection of several that are reported together, and its lag is gauges that each scrape
 * resets: two scrapers disturb one another, and replicas cannot be summed up.
 */
export function observeProcess(registry: Registry): Disposable {
  const registers = [registry];
  const gauge = (
    name: string,
    help: string,
    read: () => number | undefined | Promise<number | undefined>,
  ) => {
    const metric: Gauge = new Gauge({
      name,
      help,
      registers,
      async collect() {
        const value = await read();
        if (value !== undefined) metric.set(value);
      },
    });
  };
  const counter = (name: string, help: string, read: () => number): void => {
    const metric: Counter = new Counter({
      name,
      help,
      registers,
      collect() {
        metric.reset();
        metric.inc(read());
      },
    });
  };

  counter("process_cpu_user_seconds_total", "CPU time in user mode, all threads, seconds.", () => cpu().user);
  counter(
    "process_cpu_system_seconds_total",
    "CPU time in the kernel, all threads, seconds.",
    () => cpu().system,
  );
  counter("process_cpu_seconds_total", "CPU time, all threads, seconds.", () => cpu().user + cpu().system);
  gauge("process_start_time_seconds", "When the process started, seconds since the epoch.", () =>
    Math.round(performance.timeOrigin / 1000),
  );
  gauge("process_resident_memory_bytes", "Resident memory, bytes.", () => process.memoryUsage.rss());
  gauge("process_open_fds", "File descriptors that are open.", openFiles);
  gauge("process_max_fds", "File descriptors that may be open.", maxFiles);
  gauge("nodejs_heap_size_total_bytes", "V8's heap, bytes.", () => heap().total_heap_size);
  gauge("nodejs_heap_size_used_bytes", "What is in use of V8's heap, bytes.", () => heap().used_heap_size);
  gauge("nodejs_heap_size_limit_bytes", "What V8's heap may grow to, bytes.", () => heap().heap_size_limit);
  gauge(
    "nodejs_external_memory_bytes",
    "Buffers outside of V8's heap, bytes.",
    () => process.memoryUsage().external,
  );
  counter("nodejs_eventloop_active_seconds_total", "Time that the event loop was busy, seconds.", () =>
    eventLoop("active"),
  );
  counter(
    "nodejs_eventloop_idle_seconds_total",
    "Time that the event loop waited for something to do, seconds.",
    () => eventLoop("idle"),
  );
  const stopLag = observeLag(registers);
  const stopCollections = observeCollections(registers);
  return {
    [Symbol.dispose]() {
      stopLag();
      stopCollections();
    },
  };
}

const heap = getHeapStatistics;

function cpu(): { user: number; system: number } {
  const { user, system } = process.cpuUsage();
  return { user: user / 1e6, system: system / 1e6 };
}

function eventLoop(state: "active" | "idle"): number {
  return performance.eventLoopUtilization()[state] / 1000;
}

/** Linux only, as in other client libraries. */
async function openFiles(): Promise<number | undefined> {
  return (await unlessMissing(readdir("/proc/self/fd")))?.length;
}

async function maxFiles(): Promise<number | undefined> {
  const limits = (await unlessMissing(readFile("/proc/self/limits", "utf8"))) ?? "";
  const [, soft] = /^Max open files\s+(\d+)/m.exec(limits) ?? [];
  return soft === undefined ? undefined : Number(soft);
}

async function unlessMissing<T>(reading: Promise<T>): Promise<T | undefined> {
  try {
    return await reading;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw error;
  }
}

/** How much later than asked for a timer runs: what every callback of the process waits for its turn. */
function observeLag(registers: Registry[]): () => void {
  const lag = new Histogram({
    name: "nodejs_eventloop_lag_seconds",
    help: `How late the event loop runs a timer, asked every ${LAG_EVERY_MS} ms, seconds.`,
    buckets: LAG_BUCKETS,
    registers,
  });
  return watchEventLoop((lateMs) => lag.observe(lateMs / 1000));
}

function observeCollections(registers: Registry[]): () => void {
  const duration = new Histogram({
    name: "nodejs_gc_duration_seconds",
    help: "Garbage collections by kind (major, minor, incremental, weakcb), seconds.",
    labelNames: ["kind"],
    buckets: GC_BUCKETS,
    registers,
  });
  const observer = new PerformanceObserver((list) => {
    for (const entry of list.getEntries()) {
      const { kind } = (entry as PerformanceEntry & { detail: NodeGCPerformanceDetail }).detail;
      duration.observe({ kind: GC_KINDS.get(kind) ?? "other" }, entry.duration / 1000);
    }
  });
  observer.observe({ entryTypes: ["gc"] });
  return () => observer.disconnect();
}
