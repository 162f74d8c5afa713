import {
  Counter as PromCounter,
  Gauge as PromGauge,
  Histogram as PromHistogram,
  Registry,
} from "prom-client";
import { observeProcess } from "./process-metrics.ts";

/** Of Kindred's own metrics: `kindred_<what>_<unit>`, in base units (seconds, bytes), counters with `_total`. */
type MetricName = `kindred_${string}`;

/** One value for each label; there must be few of them: each combination is a series for as long as the process lives. */
export type Labels<L extends string> = Readonly<Record<L, string>>;

/** A metric without labels takes none. */
type Labelled<L extends string, Rest extends unknown[]> = [L] extends [never]
  ? Rest
  : [labels: Labels<L>, ...Rest];

/** What a metric has for one combination of labels. */
export interface Reading<L extends string> {
  labels: Labels<L>;
  value: number;
}

/** Read when somebody looks: one number, or one for each combination of labels that there is at that moment. */
export type Collect<L extends string> = [L] extends [never]
  ? () => number | Promise<number>
  : () => Iterable<Reading<L>> | Promise<Iterable<Reading<L>>>;

export interface Counter<L extends string = never> {
  /** Adds 1, or `by`, which is not negative. */
  inc(...args: Labelled<L, [by?: number]>): void;
}

export interface Gauge<L extends string = never> {
  set(...args: Labelled<L, [value: number]>): void;
  inc(...args: Labelled<L, [by?: number]>): void;
  dec(...args: Labelled<L, [by?: number]>): void;
}

export interface Histogram<L extends string = never> {
  observe(...args: Labelled<L, [value: number]>): void;
}

interface Described<L extends string> {
  /** One sentence for people, with the unit. */
  help: string;
  labels?: readonly L[];
}

export interface CounterOptions<L extends string> extends Described<L> {
  name: `${MetricName}_total`;
  /** For what counts by itself: gives the count so far. */
  collect?: Collect<L>;
}

export interface GaugeOptions<L extends string> extends Described<L> {
  name: MetricName;
  collect?: Collect<L>;
}

/** Durations have buckets by default; of anything else only who measures it knows them. */
export type HistogramOptions<L extends string> = Described<L> &
  (
    | { name: `${MetricName}_seconds`; buckets?: readonly number[] }
    | { name: MetricName; buckets: readonly number[] }
  );

/**
 * Upper bounds in seconds, from the quarter of a millisecond that the cheapest call takes to the minute of a bulk job; each is
 * 2 to 2.5 times the one before, so that a quantile is known to about that factor.
 */
export const DURATION_BUCKETS: readonly number[] = [
  0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60,
];

export interface Rendered {
  contentType: string;
  body: string;
}

/** The metrics of one process, or of one app where a process holds several: there is no global registry. */
export interface Metrics extends Disposable {
  /** @throws TypeError when the name breaks the conventions; Error when it is taken. So do the other two. */
  counter<const L extends string = never>(options: CounterOptions<L>): Counter<L>;
  gauge<const L extends string = never>(options: GaugeOptions<L>): Gauge<L>;
  histogram<const L extends string = never>(options: HistogramOptions<L>): Histogram<L>;
  /** All metrics in Prometheus' text format. @throws what a `collect` throws. */
  render(): Promise<Rendered>;
}

/**
 * An empty registry with the metrics of the process: CPU, memory, file descriptors, event loop and garbage collection, by
 * the names that Prometheus' client libraries have in common. Every series has the label `component`, as every line of the log
 * has. Dispose of it to stop observing the process.
 */
export function createMetrics(options: { component: string }): Metrics {
  const registry = new Registry();
  registry.setDefaultLabels({ component: options.component });
  const registers = [registry];
  const observing = observeProcess(registry);

  return {
    counter<const L extends string = never>({
      name,
      help,
      labels = [],
      collect,
    }: CounterOptions<L>): Counter<L> {
      checkName(name);
      const counter: PromCounter<L> = new PromCounter({
        name,
        help,
        labelNames: labels,
        registers,
        ...(collect && {
          collect: () => fill(counter, (...args) => counter.inc(...(args as [never])), collect),
        }),
      });
      return counter as unknown as Counter<L>;
    },
    gauge<const L extends string = never>({ name, help, labels = [], collect }: GaugeOptions<L>): Gauge<L> {
      checkName(name);
      const gauge: PromGauge<L> = new PromGauge({
        name,
        help,
        labelNames: labels,
        registers,
        ...(collect && { collect: () => fill(gauge, (...args) => gauge.set(...(args as [never])), collect) }),
      });
      return gauge as unknown as Gauge<L>;
    },
    histogram<const L extends string = never>({
      name,
      help,
      labels = [],
      buckets,
    }: HistogramOptions<L>): Histogram<L> {
      checkName(name);
      const histogram = new PromHistogram({
        name,
        help,
        labelNames: labels,
        buckets: [...(buckets ?? DURATION_BUCKETS)],
        registers,
      });
      return histogram as unknown as Histogram<L>;
    },
    async render() {
      return { contentType: registry.contentType, body: await registry.metrics() };
    },
    [Symbol.dispose]() {
      observing[Symbol.dispose]();
      registry.clear();
    },
  };
}

/** Replaces what a metric holds by what there is now: a combination of labels that is gone leaves no stale series. */
async function fill<L extends string>(
  metric: { reset(): void },
  put: (...args: [number] | [Labels<L>, number]) => void,
  collect: Collect<L>,
): Promise<void> {
  const found = await collect();
  metric.reset();
  if (typeof found === "number") put(found);
  else for (const { labels, value } of found) put(labels, value);
}

/** Types see to the prefix and to `_total`; units that are not base units would be taken for them in a dashboard. */
const OTHER_UNITS =
  /_(ms|millis|milliseconds|us|microseconds|minutes|hours|kb|mb|gb|kib|mib|gib|percent)(_total)?$/;

function checkName(name: string): void {
  if (!/^kindred(_[a-z0-9]+)+$/.test(name)) {
    throw new TypeError(`metric names are kindred_<what>_<unit> in lower case, not ${JSON.stringify(name)}`);
  }
  if (OTHER_UNITS.test(name)) {
    throw new TypeError(`metrics are in seconds, bytes and ratios, which ${JSON.stringify(name)} is not`);
  }
}
