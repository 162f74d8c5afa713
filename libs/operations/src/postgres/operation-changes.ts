import type { Database } from "@kindred/postgres";
import { escapeIdentifier, escapeLiteral, type Client } from "pg";
import { pause } from "../pause.ts";

/** How long to wait before listening again, when the connection broke. */
const RECONNECT_MS = 1000;
/** A connection that died without a word is noticed by this. */
const PING_MS = 15_000;

/** @param id undefined: any of them may have changed. @param wanted it waits for a runner: to be begun, to be gone on with, to end */
type Listener = (id: bigint | undefined, wanted: boolean) => void;

const WANTED = " wanted";

/**
 * Tells at once which operations change, by this process or another one, by LISTEN on a connection of its own. Where sessions cannot
 * listen, only what this process changes is told; who has to know more looks now and then, as one has to anyway: a message is lost
 * when the connection breaks.
 */
export class OperationChanges implements AsyncDisposable {
  readonly #db: Database;
  readonly #listeners = new Set<Listener>();
  readonly #closing = new AbortController();
  readonly #listening: Promise<void>;
  #live = false;

  constructor(db: Database) {
    this.#db = db;
    // A pooler would give each transaction another session, and the messages to nobody.
    this.#listening = db.capabilities.preparedStatements ? this.#listen() : Promise.resolve();
  }

  /** Two schemas in one database have channels of their own. */
  get #channel(): string {
    return `${this.#db.schema}.operations`;
  }

  /** An expression for a SELECT: with its transaction, everybody is told of the operation whose id the other expression is. */
  notifySql(id: string, { wanted }: { wanted: boolean }): string {
    return `pg_notify(${escapeLiteral(this.#channel)}, ${id}::text || '${wanted ? WANTED : ""}')`;
  }

  /** Whether changes by other processes are told at the moment. */
  get live(): boolean {
    return this.#live;
  }

  /** @returns what ends it */
  subscribe(listener: Listener): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** For who changed an operation in this process: after `notifySql`, whose message comes only where sessions can listen. */
  announce(id: bigint, { wanted }: { wanted: boolean }): void {
    if (!this.#live) this.#tell(id, wanted);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closing.abort();
    await this.#listening;
  }

  #tell(id: bigint | undefined, wanted: boolean): void {
    for (const listener of this.#listeners) listener(id, wanted);
  }

  #told(payload: string | undefined): void {
    const [id] = (payload ?? "").split(" ");
    // Anybody may write to a channel.
    if (id && /^\d{1,18}$/.test(id)) this.#tell(BigInt(id), payload === `${id}${WANTED}`);
  }

  async #listen(): Promise<void> {
    const { signal } = this.#closing;
    let broken = false;
    while (!signal.aborted) {
      try {
        await this.#listenOnce(() => (broken = false));
      } catch (error) {
        if (!broken)
          this.#db.logger.info({ err: error }, "changes of operations are not told at once for now");
        broken = true;
      }
      this.#live = false;
      await pause(RECONNECT_MS, signal);
    }
  }

  /** Until the connection breaks, or this is disposed of. */
  async #listenOnce(onLive: () => void): Promise<void> {
    const { signal } = this.#closing;
    const client = await this.#db.openSession();
    try {
      await client.query(`LISTEN ${escapeIdentifier(this.#channel)}`);
      client.on("notification", ({ payload }) => this.#told(payload));
      this.#live = true;
      onLive();
      // What happened before has not been told.
      this.#tell(undefined, true);
      await this.#untilBroken(client, signal);
    } finally {
      await client.end().catch((error: unknown) => this.#db.logger.debug({ err: error }, "a broken session"));
    }
  }

  async #untilBroken(client: Client, signal: AbortSignal): Promise<void> {
    const ended = new AbortController();
    client.once("end", () => ended.abort());
    const either = AbortSignal.any([signal, ended.signal]);
    while (!either.aborted) {
      await pause(PING_MS, either);
      if (!either.aborted) await client.query({ text: "SELECT 1", query_timeout: PING_MS } as never);
    }
    if (!signal.aborted) throw new Error("the session that listens has ended");
  }
}
