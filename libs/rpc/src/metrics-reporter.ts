import type { MessageInitShape } from "@bufbuild/protobuf";
import { timestampFromDate } from "@bufbuild/protobuf/wkt";
import { createClient } from "@connectrpc/connect";
import { duration, text } from "@kindred/config";
import { MetricsService, type MetricSampleSchema } from "@kindred/contracts/metrics/v1";
import { createProcessSampler, type Logger, type ProcessSampler } from "@kindred/telemetry";
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
};

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
  /** Default 10 s. */
  sampleEveryMs?: number;
  /** Open connections of the process's database pool, for processes that have one. */
  activeConnections?: () => number;
  /** Samples that wait while the metrics service is away; the oldest are dropped. Default 60. */
  maxWaiting?: number;
  sampler?: ProcessSampler;
  logger: Logger;
}

const FIRST_SAMPLE_AFTER_MS = 1000;
const CALL_TIMEOUT_MS = 5000;
const MAX_SAMPLES_PER_CALL = 1000;

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
    this.#sampler = options.sampler ?? createProcessSampler();
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
      const { sampledAt, ...values } = await this.#sampler.sample();
      const activeConnections = this.#options.activeConnections?.();
      this.#delivery.enqueue([
        {
          component: this.#options.component,
          timestamp: timestampFromDate(sampledAt),
          ...values,
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
    await this.#delivery[Symbol.asyncDispose]();
    await this.#channel?.[Symbol.asyncDispose]();
  }
}
