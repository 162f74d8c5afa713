import type { Database } from "@kindred/postgres";
import type { Collection } from "../../domain/collection.ts";
import type { PackedVector } from "../../domain/packed-vector.ts";
import { QueryReservoir, type NotedQuery, type RecentQueries } from "../../domain/recall/recent-queries.ts";

const FLUSH_EVERY_MS = 10_000;
/** Nobody waits for it, and at the end the service has other things to do. */
const FLUSH_TIMEOUT_MS = 2000;

/**
 * Keeps some of what people search for in the database: at most 50 queries a collection every ten seconds, and of each collection the
 * latest `keep`. A database that does not take them, because it is read-only or away, costs nobody more than the sample.
 */
export class QueryRecorder implements RecentQueries, AsyncDisposable {
  readonly #db: Pick<Database, "transaction" | "logger">;
  readonly #keep: number;
  readonly #reservoir = new QueryReservoir();
  readonly #timer: NodeJS.Timeout | undefined;
  #flushing: Promise<void> = Promise.resolve();

  /** @param options.keep of each collection; 0 records nothing */
  constructor(db: Pick<Database, "transaction" | "logger">, options: { keep: number; everyMs?: number }) {
    this.#db = db;
    this.#keep = options.keep;
    if (this.#keep === 0) return;
    this.#timer = setInterval(() => void this.flush(), options.everyMs ?? FLUSH_EVERY_MS);
    this.#timer.unref();
  }

  note(collection: Collection, vector: PackedVector): void {
    if (this.#keep > 0) this.#reservoir.note(collection, vector);
  }

  /** Writes down what was noted. Never rejects. */
  async flush(): Promise<void> {
    this.#flushing = this.#flushing.then(() => this.#write(this.#reservoir.take()));
    await this.#flushing;
  }

  async #write(queries: readonly NotedQuery[]): Promise<void> {
    if (queries.length === 0) return;
    try {
      await this.#db.transaction(
        async (client) => {
          await client.query(INSERT, [
            queries.map(({ collection }) => collection),
            queries.map(({ createdAt }) => createdAt),
            queries.map(({ spaceId }) => spaceId ?? null),
            queries.map(({ vector }) => Buffer.from(vector)),
          ]);
          await client.query(TRIM, [[...new Set(queries.map(({ collection }) => collection))], this.#keep]);
        },
        { timeoutMs: FLUSH_TIMEOUT_MS },
      );
    } catch (error) {
      this.#db.logger.debug({ err: error, queries: queries.length }, "recent queries were not kept");
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    clearInterval(this.#timer);
    await this.flush();
  }
}

/** Those of collections that are gone by now, or others by the same name, are left out. This process knows times to the millisecond. */
const INSERT = `
  INSERT INTO recent_queries (collection, space_id, vector)
  SELECT c.name, q.space_id, q.vector
    FROM unnest($1::text[], $2::timestamptz[], $3::text[], $4::bytea[]) AS q (collection, created_at, space_id, vector)
    JOIN collections c ON c.name = q.collection AND date_trunc('milliseconds', c.created_at) = q.created_at`;

const TRIM = `
  DELETE FROM recent_queries r
   WHERE r.collection = ANY ($1::text[])
     AND r.id <= (SELECT k.id FROM recent_queries k WHERE k.collection = r.collection
                   ORDER BY k.id DESC OFFSET $2 LIMIT 1)`;
