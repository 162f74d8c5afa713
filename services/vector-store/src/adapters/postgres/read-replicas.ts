import { setTimeout as sleep } from "node:timers/promises";
import { messageOf } from "@kindred/errors";
import type { Database } from "@kindred/postgres";
import type { Logger } from "@kindred/telemetry";
import type { SearchReplica, SearchReplicas } from "../../domain/search/search-replicas.ts";
import { PrimaryPositions, readPosition } from "./primary-positions.ts";
import { ReadReplica, type OpenReplica, type ReplicaReport } from "./read-replica.ts";

/** How often everybody is looked at: what a replica is known to be behind is never less than about that. */
const LOOK_EVERY_MS = 1000;

export interface ReadReplicasOptions {
  /** Connections to the primary for looking at it, apart from those that may all be in use. */
  openPrimary: () => Promise<Database>;
  replicas: readonly { name: string; open: OpenReplica }[];
  /** How a search is made with a database. */
  searching: (db: Database) => SearchReplica;
  maxStalenessMs: number;
  logger: Logger;
}

/**
 * Read replicas, and how far behind each of them is at most. This process notes the primary's position in its log each second, and
 * how far each replica has replayed that: it has all that was committed when the primary was last seen at or before that position.
 * No clocks of several machines are compared; a replica of a primary at rest stays fresh, whether it is connected or not, since there is
 * nothing that it lacks; one that nothing reaches falls behind as soon as something is written, and so do all while the primary cannot be
 * asked.
 */
export class ReadReplicas implements SearchReplicas, AsyncDisposable {
  readonly #options: ReadReplicasOptions;
  readonly #positions = new PrimaryPositions();
  readonly #replicas: readonly ReadReplica[];
  readonly #stopping = new AbortController();
  readonly #watching: Promise<unknown>;
  #primary: Database | undefined;
  #complaint = "";
  #next = 0;

  constructor(options: ReadReplicasOptions) {
    this.#options = options;
    const { logger, searching } = options;
    this.#replicas = options.replicas.map(
      ({ name, open }) => new ReadReplica({ name, open, searching, positions: this.#positions, logger }),
    );
    this.#watching = Promise.all([
      this.#repeat(() => this.#lookAtPrimary()),
      ...this.#replicas.map((replica) => this.#repeat(() => replica.look())),
    ]);
  }

  choose(maxStalenessMs: number = this.#options.maxStalenessMs): SearchReplica | undefined {
    const fresh = this.#replicas.flatMap((replica) => replica.within(maxStalenessMs) ?? []);
    return fresh.length === 0 ? undefined : fresh[this.#next++ % fresh.length];
  }

  reports(): ReplicaReport[] {
    return this.#replicas.map((replica) => replica.report());
  }

  async #lookAtPrimary(): Promise<void> {
    try {
      this.#primary ??= await this.#options.openPrimary();
      const at = performance.now();
      this.#positions.note(at, await readPosition(this.#primary));
      this.#complaint = "";
    } catch (error) {
      const complaint = messageOf(error);
      if (complaint !== this.#complaint)
        this.#options.logger.warn({ err: error }, "how far behind replicas are cannot be found out");
      this.#complaint = complaint;
    }
  }

  async #repeat(look: () => Promise<void>): Promise<void> {
    const { signal } = this.#stopping;
    while (!signal.aborted) {
      await look();
      await sleep(LOOK_EVERY_MS, undefined, { signal }).catch(() => {});
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stopping.abort();
    await this.#watching;
    await Promise.all([
      this.#primary?.[Symbol.asyncDispose](),
      ...this.#replicas.map((replica) => replica[Symbol.asyncDispose]()),
    ]);
  }
}
