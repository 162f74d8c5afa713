import type { MessageInitShape } from "@bufbuild/protobuf";
import { timestampFromDate } from "@bufbuild/protobuf/wkt";
import { createClient } from "@connectrpc/connect";
import { duration, text } from "@kindred/config";
import { MetricsService, type MetricSampleSchema } from "@kindred/contracts/metrics/v1";
import { isKindredError, messageOf } from "@kindred/errors";
import { createProcessSampler, type Logger, type ProcessSampler } from "@kindred/telemetry";
import { openChannel, type Channel } from "./channel.ts";

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

/**
 * Takes samples, 1 to 1,000 of them, oldest first.
 * @throws KindredError unavailable when they were not taken and may come again; with any other error they are lost.
 */
export type DeliverSamples = (samples: MetricSampleInit[], signal: AbortSignal) => Promise<unknown>;

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
/** Services start side by side: a metrics service that is not there at the first try is nothing to report. */
const FAILURES_BEFORE_WARNING = 2;

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
  readonly #deliver: DeliverSamples;
  readonly #channel: AsyncDisposable | undefined;
  readonly #sampler: ProcessSampler;
  readonly #maxWaiting: number;
  readonly #stopped = new AbortController();
  #timer: NodeJS.Timeout;
  #sampling = false;
  #sending: Promise<void> | undefined;
  /** Oldest first. */
  #waiting: MetricSampleInit[] = [];
  #failures = 0;
  #lost = 0;

  constructor(options: MetricsReporterOptions, deliver: DeliverSamples, channel?: AsyncDisposable) {
    this.#options = options;
    this.#deliver = deliver;
    this.#channel = channel;
    this.#sampler = options.sampler ?? createProcessSampler();
    this.#maxWaiting = options.maxWaiting ?? 60;
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
      this.#enqueue([
        {
          component: this.#options.component,
          timestamp: timestampFromDate(sampledAt),
          ...values,
          ...(activeConnections === undefined ? {} : { activeConnections }),
        },
      ]);
      this.#sending ??= this.#send().finally(() => {
        this.#sending = undefined;
      });
    } catch (error) {
      this.#options.logger.error({ err: error }, "this process could not be sampled");
    } finally {
      this.#sampling = false;
    }
  }

  #enqueue(samples: readonly MetricSampleInit[]): void {
    this.#waiting.push(...samples);
    const excess = this.#waiting.length - this.#maxWaiting;
    if (excess > 0) {
      this.#waiting.splice(0, excess);
      this.#lost += excess;
    }
  }

  /** Sends what waits, until nothing does or the service is found to be away. Never rejects. */
  async #send(): Promise<void> {
    while (this.#waiting.length > 0 && !this.#stopped.signal.aborted) {
      const batch = this.#waiting.splice(0, MAX_SAMPLES_PER_CALL);
      try {
        await this.#deliver(batch, this.#stopped.signal);
        this.#onDelivered();
      } catch (error) {
        if (!this.#stopped.signal.aborted) this.#onFailed(batch, error);
        return;
      }
    }
  }

  #onDelivered(): void {
    if (this.#failures >= FAILURES_BEFORE_WARNING) {
      this.#options.logger.info({ samples_lost: this.#lost }, "the metrics service is back");
    }
    this.#failures = 0;
    this.#lost = 0;
  }

  #onFailed(batch: readonly MetricSampleInit[], error: unknown): void {
    if (isKindredError(error) && error.kind === "unavailable") {
      const later = this.#waiting;
      this.#waiting = [];
      this.#enqueue([...batch, ...later]);
    } else {
      // Whether they were stored is not known, or they never will be.
      this.#lost += batch.length;
    }
    this.#failures += 1;
    if (this.#failures === FAILURES_BEFORE_WARNING) {
      this.#options.logger.warn(
        { reason: messageOf(error) },
        "the metrics service is away; samples may be lost",
      );
    }
  }

  /** Ends the sampling and gives up the call in flight: samples are not worth a delay of the shutdown. */
  async [Symbol.asyncDispose](): Promise<void> {
    clearTimeout(this.#timer);
    this.#stopped.abort();
    await this.#sending;
    await this.#channel?.[Symbol.asyncDispose]();
  }
}
