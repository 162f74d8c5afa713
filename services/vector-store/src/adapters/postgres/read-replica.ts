import { isKindredError, KindredError, messageOf } from "@kindred/errors";
import { sqlStateOf, type Database } from "@kindred/postgres";
import type { Logger } from "@kindred/telemetry";
import type { CallLimits } from "../../domain/ports.ts";
import { ReplicaFault, type SearchReplica } from "../../domain/search/search-replicas.ts";
import { readReplayed, type PrimaryPositions } from "./primary-positions.ts";

/** Opens connections to a replica: "search" for searches, "watch" a single one for looking at it. */
export type OpenReplica = (use: "search" | "watch") => Promise<Database>;

export interface ReadReplicaOptions {
  name: string;
  open: OpenReplica;
  searching: (db: Database) => SearchReplica;
  positions: PrimaryPositions;
  logger: Logger;
}

export interface ReplicaReport {
  /** Host, port and database. */
  name: string;
  /** Undefined while nothing is known, or it does not answer. */
  stalenessMs: number | undefined;
  pool: { total: number; idle: number; waiting: number };
  /** Searches begun on it, and those of them that the primary had to do. */
  begun: number;
  handedOver: number;
}

/** Failures that say nothing about what was asked, and may be the replica's own. */
const REPLICAS_OWN = new Set(["unavailable", "aborted", "resource-exhausted", "data-loss"]);

/** One replica. It may be away at any time, also when this process starts. */
export class ReadReplica implements AsyncDisposable {
  readonly #options: ReadReplicaOptions;
  #watch: Database | undefined;
  #db: Database | undefined;
  #guarded: SearchReplica | undefined;
  /** All that was committed before this time is there; undefined while that is not known. */
  #reached: number | undefined;
  /** Aborts what runs there when it stops answering. */
  #alive = new AbortController();
  #begun = 0;
  #handedOver = 0;
  #complaint = "";

  constructor(options: ReadReplicaOptions) {
    this.#options = options;
  }

  /** Its searches, if its data is at most so far behind. */
  within(maxStalenessMs: number): SearchReplica | undefined {
    const { stalenessMs } = this;
    return stalenessMs !== undefined && stalenessMs <= maxStalenessMs ? this.#guarded : undefined;
  }

  get stalenessMs(): number | undefined {
    return this.#reached === undefined ? undefined : performance.now() - this.#reached;
  }

  report(): ReplicaReport {
    return {
      name: this.#options.name,
      stalenessMs: this.stalenessMs,
      pool: this.#db?.poolStats() ?? { total: 0, idle: 0, waiting: 0 },
      begun: this.#begun,
      handedOver: this.#handedOver,
    };
  }

  /** Finds out how far it has come. Never rejects. */
  async look(): Promise<void> {
    const { open, positions, searching, logger, name } = this.#options;
    try {
      this.#watch ??= await open("watch");
      const reached = positions.reachedBy(await readReplayed(this.#watch));
      this.#db ??= await this.#openForSearches();
      this.#guarded ??= this.#guard(searching(this.#db));
      if (this.#complaint !== "") logger.info({ replica: name }, "the read replica answers again");
      this.#complaint = "";
      this.#reached = reached;
      if (this.#alive.signal.aborted) this.#alive = new AbortController();
    } catch (error) {
      this.#lose(error);
    }
  }

  async #openForSearches(): Promise<Database> {
    const db = await this.#options.open("search");
    if (db.capabilities.vector) return db;
    await db[Symbol.asyncDispose]();
    throw new KindredError("failed-precondition", "it has no pgvector yet");
  }

  #lose(error: unknown): void {
    const { logger, name } = this.#options;
    this.#reached = undefined;
    const complaint = messageOf(error);
    if (complaint !== this.#complaint)
      logger.warn({ err: error, replica: name }, "a read replica cannot be used: the primary answers");
    this.#complaint = complaint;
    // What waits for an answer that may never come is done elsewhere.
    this.#alive.abort(new KindredError("unavailable", `the read replica ${name} does not answer`));
  }

  #guard({ search, texts }: SearchReplica): SearchReplica {
    const on = this.#run.bind(this);
    return {
      search: {
        state: (collection) => on({}, () => search.state(collection)),
        countMatching: (collection, filter, bound, limits) =>
          on(limits, (left) => search.countMatching(collection, filter, bound, left)),
        passingShare: (collection, filter, limits) =>
          on(limits, (left) => search.passingShare(collection, filter, left)),
        nearest: (query, limits) => on(limits, (left) => search.nearest(query, left)),
        distances: (query, limits) => on(limits, (left) => search.distances(query, left)),
        explain: (query, options, limits) => on(limits, (left) => search.explain(query, options, left)),
      },
      texts: {
        matches: (collection, query, limits) => on(limits, (left) => texts.matches(collection, query, left)),
      },
    };
  }

  async #run<T>(limits: CallLimits, work: (limits: CallLimits) => Promise<T>): Promise<T> {
    const alive = this.#alive.signal;
    this.#begun++;
    try {
      return await work({
        ...limits,
        signal: limits.signal ? AbortSignal.any([limits.signal, alive]) : alive,
      });
    } catch (error) {
      if (limits.signal?.aborted || !isReplicasOwn(error)) throw error;
      this.#handedOver++;
      this.#options.logger.debug({ err: error, replica: this.#options.name }, "a search goes to the primary");
      // Until it is looked at the next time nobody else has to find out.
      if (isKindredError(error) && error.kind === "unavailable") this.#reached = undefined;
      throw new ReplicaFault(error);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all([this.#watch?.[Symbol.asyncDispose](), this.#db?.[Symbol.asyncDispose]()]);
  }
}

/**
 * Whether the primary may answer what a replica did not: it is gone or full; replaying the log cancelled the statement; a table, column
 * or type has not arrived there yet, or its rows are of another embedding space still. Not where the time is over.
 */
function isReplicasOwn(error: unknown): boolean {
  const failed = sqlStateOf(error) !== undefined;
  if (!isKindredError(error)) return failed || error instanceof RangeError;
  return error.kind !== "deadline-exceeded" && (failed || REPLICAS_OWN.has(error.kind));
}
