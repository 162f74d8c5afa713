import type { MessageInitShape } from "@bufbuild/protobuf";
import { timestampFromDate } from "@bufbuild/protobuf/wkt";
import { createClient } from "@connectrpc/connect";
import { hostname } from "node:os";
import { choice, duration, optional, text } from "@kindred/config";
import { MetricSource, MetricsService, type MetricSampleSchema } from "@kindred/contracts/metrics/v1";
import {
  createProcessSampler,
  type Logger,
  type ProcessSample,
  type ProcessSampler,
  type SampledSource,
  type UsageSource,
} from "@kindred/telemetry";
import { openChannel, type Channel } from "./channel.ts";
import { startEventDelivery, type DeliverEvents, type EventDelivery } from "./event-delivery.ts";

/** The settings of a reporter; every service spreads them into its own schema. */
export const metricsReporterSettings = {
  METRICS_ADDRESS: text({
    description: "The metrics service's gRPC address, host:port, to which this process reports what it uses.",
    default: "127.0.0.1:50054",
  }),
  METRICS_SAMPLE_INTERVAL: duration({
    description: "How often this process is sampled.",
    default: "10s",
    min: "100ms",
    max: "1h",
  }),
  METRICS_SAMPLE_SOURCE: choice({
    description:
      "Whose CPU time and memory a sample has: of this process; of its control group; of the machine; auto: of the control group where " +
      "this process has one to itself, as in a container, else of the process. Each sample says which.",
    choices: ["auto", "process", "cgroup", "host"],
    default: "auto",
  }),
  METRICS_INSTANCE: optional(
    text({
      description:
        "Name of this process among those of its component, in every sample; not set: the host's name.",
      maxLength: 100,
    }),
  ),
};

/** What the settings above say of the sampling; where the samples go is left out. */
export function metricsReporterOptions(config: {
  METRICS_SAMPLE_INTERVAL: number;
  METRICS_SAMPLE_SOURCE: SampledSource;
  METRICS_INSTANCE: string | undefined;
}): Pick<MetricsReporterOptions, "sampleEveryMs" | "source" | "instance"> {
  return {
    sampleEveryMs: config.METRICS_SAMPLE_INTERVAL,
    source: config.METRICS_SAMPLE_SOURCE,
    ...(config.METRICS_INSTANCE === undefined ? {} : { instance: config.METRICS_INSTANCE }),
  };
}

/** A sample as it travels. */
export type MetricSampleInit = MessageInitShape<typeof MetricSampleSchema>;

/** Takes samples, 1 to 1,000 of them. */
export type DeliverSamples = DeliverEvents<MetricSampleInit>;

/** Where samples go: a channel of the reporter's own, one of the caller's (which stays open), or any function. */
export type MetricsDestination =
  { address: string } | { channel: Pick<Channel, "transport"> } | { deliver: DeliverSamples };

export interface MetricsReporterOptions {
  /** Name in every sample, e.g. "embedding"; at most 50 characters. */
  component: string;
  /** Which process of the component; at most 100 characters. Default: the host's name, a pod's in Kubernetes. */
  instance?: string;
  /** Whose CPU time and memory. Default "auto". */
  source?: SampledSource;
  /** Default 10 s. */
  sampleEveryMs?: number;
  /** Open connections of the process's database pool, for processes that have one. */
  activeConnections?: () => number;
  /** Samples that wait while the metrics service is away; the oldest are dropped. Default 60. */
  maxWaiting?: number;
  /** In the place of one of the reporter's own; it stays the caller's. */
  sampler?: ProcessSampler;
  logger: Logger;
}

const FIRST_SAMPLE_AFTER_MS = 1000;
const CALL_TIMEOUT_MS = 5000;
const MAX_SAMPLES_PER_CALL = 1000;
const MAX_INSTANCE_CHARACTERS = 100;

/**
 * Samples this process from now on and reports the samples, until it is disposed of. Nobody waits for it: calls are
 * made one after the other from a timer that keeps no process alive, and what cannot be delivered is dropped, with one warning when the
 * metrics service goes away and one line when it is back.
 */
export function startMetricsReporter(options: MetricsReporterOptions & MetricsDestination): AsyncDisposable {
  if ("deliver" in options) return new MetricsReporter(options, options.deliver);
  if ("channel" in options) return new MetricsReporter(options, deliverOver(options.channel));
  const channel = openChannel({ address: options.address });
  return new MetricsReporter(options, deliverOver(channel), channel);
}

function deliverOver({ transport }: Pick<Channel, "transport">): DeliverSamples {
  const client = createClient(MetricsService, transport);
  return (samples, signal) => client.reportMetrics({ samples }, { signal, timeoutMs: CALL_TIMEOUT_MS });
}

class MetricsReporter implements AsyncDisposable {
  readonly #options: MetricsReporterOptions;
  readonly #delivery: EventDelivery<MetricSampleInit>;
  readonly #channel: AsyncDisposable | undefined;
  readonly #sampler: ProcessSampler;
  readonly #owned: Disposable | undefined;
  readonly #instance: string;
  #timer: NodeJS.Timeout;
  #sampling = false;

  constructor(options: MetricsReporterOptions, deliver: DeliverSamples, channel?: AsyncDisposable) {
    this.#options = options;
    this.#delivery = startEventDelivery({
      deliver,
      maxWaiting: options.maxWaiting ?? 60,
      maxBatch: MAX_SAMPLES_PER_CALL,
      what: { taker: "metrics service", events: "samples" },
      logger: options.logger,
    });
    this.#channel = channel;
    const own = options.sampler
      ? undefined
      : createProcessSampler(options.source === undefined ? {} : { source: options.source });
    this.#sampler = own ?? (options.sampler as ProcessSampler);
    this.#owned = own;
    this.#instance = options.instance ?? hostname().slice(0, MAX_INSTANCE_CHARACTERS);
    const everyMs = options.sampleEveryMs ?? 10_000;
    this.#timer = setTimeout(
      () => {
        void this.#tick();
        this.#timer = setInterval(() => void this.#tick(), everyMs).unref();
      },
      Math.min(FIRST_SAMPLE_AFTER_MS, everyMs),
    ).unref();
  }

  async #tick(): Promise<void> {
    // A sample that takes longer than the interval is not overtaken by the next one.
    if (this.#sampling) return;
    this.#sampling = true;
    try {
      const sample = await this.#sampler.sample();
      const activeConnections = this.#options.activeConnections?.();
      this.#delivery.enqueue([
        {
          component: this.#options.component,
          instance: this.#instance,
          ...toMessage(sample),
          ...(activeConnections === undefined ? {} : { activeConnections }),
        },
      ]);
    } catch (error) {
      this.#options.logger.error({ err: error }, "this process could not be sampled");
    } finally {
      this.#sampling = false;
    }
  }

  /** Ends the sampling and gives up the call in flight. */
  async [Symbol.asyncDispose](): Promise<void> {
    clearTimeout(this.#timer);
    this.#owned?.[Symbol.dispose]();
    await this.#delivery[Symbol.asyncDispose]();
    await this.#channel?.[Symbol.asyncDispose]();
  }
}

const SOURCES: Readonly<Record<UsageSource, MetricSource>> = {
  process: MetricSource.PROCESS,
  cgroup2: MetricSource.CGROUP2,
  cgroup1: MetricSource.CGROUP1,
  host: MetricSource.HOST,
};

function toMessage({ sampledAt, cpuSource, memorySource, ...values }: ProcessSample): MetricSampleInit {
  return {
    timestamp: timestampFromDate(sampledAt),
    ...values,
    ...(cpuSource === undefined ? {} : { cpuSource: SOURCES[cpuSource] }),
    ...(memorySource === undefined ? {} : { memorySource: SOURCES[memorySource] }),
  };
}
