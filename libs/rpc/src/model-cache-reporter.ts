import type { MessageInitShape } from "@bufbuild/protobuf";
import { timestampFromDate } from "@bufbuild/protobuf/wkt";
import { createClient } from "@connectrpc/connect";
import { text } from "@kindred/config";
import { ModelCacheService, type ModelCacheEventSchema } from "@kindred/contracts/generation-tracking/v1";
import { isKindredError } from "@kindred/errors";
import type { Logger } from "@kindred/telemetry";
import { openChannel, type Channel } from "./channel.ts";
import { startEventDelivery, type DeliverEvents, type EventDelivery } from "./event-delivery.ts";

/** The settings of a reporter, for the schema of a service that has one. */
export const modelCacheReporterSettings = {
  GENERATION_TRACKING_ADDRESS: text({
    description:
      "generation-tracking's gRPC address, host:port, to which this process reports the models in its cache.",
    default: "127.0.0.1:50053",
  }),
};

/** A model in a cache, as its owner sees it at this moment. Type, name and path together tell models apart. */
export interface ModelCacheState {
  /** Kind of the model, e.g. "text-embedding"; 1 to 50 characters. */
  modelType: string;
  /** 1 to 200 characters. */
  modelName: string;
  /** Where it lies; 1 to 500 characters. */
  cachePath: string;
  /** On disk; undefined when it is not known. */
  sizeBytes: number | undefined;
  /** undefined for a model that was not used yet. */
  lastAccessed: Date | undefined;
  /** Uses since the process began to count. */
  accesses: number;
}

/** An event as it travels. */
export type ModelCacheEventInit = MessageInitShape<typeof ModelCacheEventSchema>;

/** Takes events, 1 to 1,000 of them. */
export type DeliverModelCacheEvents = DeliverEvents<ModelCacheEventInit>;

/** Where events go: a channel of the reporter's own, one of the caller's (which stays open), or any function. */
export type ModelCacheDestination =
  { address: string } | { channel: Pick<Channel, "transport"> } | { deliver: DeliverModelCacheEvents };

export interface ModelCacheReporterOptions {
  /** Every model in the cache. */
  read: () => readonly ModelCacheState[];
  /** How often it is read; default 30 s. */
  everyMs?: number;
  logger: Logger;
}

export interface ModelCacheReporter extends AsyncDisposable {
  /** Reads now: a model was loaded. Costs nothing when nothing has changed. */
  touch(): void;
}

const DEFAULT_EVERY_MS = 30_000;
const CALL_TIMEOUT_MS = 5000;
const MAX_EVENTS_PER_CALL = 1000;
/** More models than any process has; each has one waiting event at most. */
const MAX_WAITING = 10_000;
const MAX_INT32 = 2 ** 31 - 1;

/**
 * Reads the models of a cache from time to time and reports those that have changed, until it is disposed of: once a change was
 * taken it is not reported again. Nobody waits for it, and its timer keeps no process alive. Uses are counted once at most: those of an
 * event that perhaps was not taken are not repeated.
 */
export function startModelCacheReporter(
  options: ModelCacheReporterOptions & ModelCacheDestination,
): ModelCacheReporter {
  if ("deliver" in options) return new CacheReporter(options, options.deliver);
  if ("channel" in options) return new CacheReporter(options, deliverOver(options.channel));
  const channel = openChannel({ address: options.address });
  return new CacheReporter(options, deliverOver(channel), channel);
}

function deliverOver({ transport }: Pick<Channel, "transport">): DeliverModelCacheEvents {
  const client = createClient(ModelCacheService, transport);
  return (events, signal) => client.reportModelCache({ events }, { signal, timeoutMs: CALL_TIMEOUT_MS });
}

/** How much of one model was reported. */
interface Account {
  /** The uses in all events that were made, whatever became of them. */
  accesses: number;
  /** Size and time as of the last event that was taken. */
  taken: string | undefined;
}

interface PendingEvent {
  event: ModelCacheEventInit;
  account: Account;
  /** What `account.taken` becomes. */
  values: string;
}

class CacheReporter implements ModelCacheReporter {
  readonly #options: ModelCacheReporterOptions;
  readonly #delivery: EventDelivery<PendingEvent>;
  readonly #channel: AsyncDisposable | undefined;
  readonly #accounts = new Map<string, Account>();
  readonly #timer: NodeJS.Timeout;
  #reporting: Promise<void> | undefined;
  #again = false;
  #stopped = false;

  constructor(
    options: ModelCacheReporterOptions,
    deliver: DeliverModelCacheEvents,
    channel?: AsyncDisposable,
  ) {
    this.#options = options;
    this.#delivery = startEventDelivery({
      deliver: (pending, signal) => deliverAndNote(pending, deliver, signal),
      maxWaiting: MAX_WAITING,
      maxBatch: MAX_EVENTS_PER_CALL,
      what: { taker: "generation-tracking service", events: "events" },
      logger: options.logger,
    });
    this.#channel = channel;
    this.#timer = setInterval(() => this.touch(), options.everyMs ?? DEFAULT_EVERY_MS).unref();
  }

  touch(): void {
    this.#again = true;
    this.#reporting ??= Promise.resolve().then(() => this.#report());
  }

  async #report(): Promise<void> {
    while (this.#again && !this.#stopped) {
      this.#again = false;
      await this.#delivery.flush();
      // While events wait, the service is away: what happens meanwhile becomes part of the events after them.
      if (this.#delivery.waiting > 0 || this.#stopped) break;
      this.#delivery.enqueue(this.#changes());
      await this.#delivery.flush();
    }
    this.#reporting = undefined;
  }

  #changes(): PendingEvent[] {
    try {
      return this.#options.read().flatMap((state) => this.#changeOf(state) ?? []);
    } catch (error) {
      this.#options.logger.error({ err: error }, "the state of the model cache could not be read");
      return [];
    }
  }

  #changeOf(state: ModelCacheState): PendingEvent | undefined {
    const { modelType, modelName, cachePath, sizeBytes, lastAccessed } = state;
    const key = JSON.stringify([modelType, modelName, cachePath]);
    const account = this.#accounts.get(key) ?? { accesses: 0, taken: undefined };
    this.#accounts.set(key, account);
    // A count that went back was begun anew.
    if (state.accesses < account.accesses) account.accesses = 0;
    const accesses = Math.min(state.accesses - account.accesses, MAX_INT32);
    const values = JSON.stringify([sizeBytes, lastAccessed]);
    if (accesses === 0 && values === account.taken) return undefined;
    account.accesses += accesses;
    const event = {
      modelType,
      modelName,
      cachePath,
      ...(sizeBytes === undefined ? {} : { sizeBytes: BigInt(sizeBytes) }),
      ...(lastAccessed === undefined ? {} : { lastAccessed: timestampFromDate(lastAccessed) }),
      accesses,
    };
    return { event, account, values };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stopped = true;
    clearInterval(this.#timer);
    await this.#delivery[Symbol.asyncDispose]();
    await this.#reporting;
    await this.#channel?.[Symbol.asyncDispose]();
  }
}

async function deliverAndNote(
  pending: readonly PendingEvent[],
  deliver: DeliverModelCacheEvents,
  signal: AbortSignal,
): Promise<void> {
  try {
    await deliver(
      pending.map(({ event }) => event),
      signal,
    );
  } catch (error) {
    // Refused for what they say: they would be the next time, too.
    if (isKindredError(error) && error.kind === "invalid-argument") noteTaken(pending);
    throw error;
  }
  noteTaken(pending);
}

function noteTaken(pending: readonly PendingEvent[]): void {
  for (const { account, values } of pending) account.taken = values;
}
