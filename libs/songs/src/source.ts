import { KindredError, messageOf } from "@kindred/errors";
import { sqlStateOf, translatePgError } from "@kindred/postgres";
import { Client, type QueryConfig } from "pg";
import Cursor from "pg-cursor";
import type { SourceIdentity } from "./manifest.ts";
import { SongBatcher, type SongRows } from "./song-rows.ts";
import { checkShape, shapeStatement, songsStatement, type Selection } from "./source-statement.ts";

/** A fetch takes so many rows, and so many characters, about: memory is bounded however long lyrics are. */
const MOST_ROWS = 2_000;
const FIRST_ROWS = 100;
const FETCH_CHARACTERS = 4 * 2 ** 20;
const CONNECT_TIMEOUT_MS = 15_000;

/** Where an error's metadata has PostgreSQL's code, when the database refuses whoever asks. */
export const SQL_STATE = "sql_state";

export interface SongSourceOptions {
  /** postgresql://…; never shown. */
  url: string;
  selection: Selection;
}

/** A PostgreSQL that has songs. One connection; all of it is read in one transaction that can only read. */
export interface SongSource extends AsyncDisposable {
  readonly identity: SourceIdentity;
  /** ISO 8601: the moment whose rows are seen. */
  readonly readAt: string;
  /** Rows behind this id, as the planner sees it. */
  estimate(after: bigint | undefined): Promise<number>;
  /**
   * Rows behind this id, by strictly ascending id. Memory is that of a batch.
   * @throws KindredError, the signal's reason
   */
  read(after: bigint | undefined, signal: AbortSignal): AsyncGenerator<SongRows>;
}

/** @throws KindredError: unavailable, failed-precondition (password, rights), invalid-argument (table, query, columns) */
export async function openSongSource(options: SongSourceOptions): Promise<SongSource> {
  const client = new Client({
    connectionString: options.url,
    application_name: "kindred-songs",
    connectionTimeoutMillis: CONNECT_TIMEOUT_MS,
    keepAlive: true,
    keepAliveInitialDelayMillis: 10_000,
  });
  const server = `${client.host}:${client.port}/${client.database}`;
  // A connection that breaks fails its statement; without a listener it would end the process, too.
  client.on("error", () => undefined);
  const doing = async <T>(work: () => Promise<T>): Promise<T> => {
    try {
      return await work();
    } catch (error) {
      throw sourceError(server, error);
    }
  };
  const source = new PostgresSongs(client, server, options, doing);
  try {
    await doing(() => source.begin());
    return source;
  } catch (error) {
    await source[Symbol.asyncDispose]();
    throw error;
  }
}

class PostgresSongs implements SongSource {
  readonly identity: SourceIdentity;
  readonly #client: Client;
  readonly #options: SongSourceOptions;
  readonly #doing: <T>(work: () => Promise<T>) => Promise<T>;
  #readAt = "";

  constructor(
    client: Client,
    server: string,
    options: SongSourceOptions,
    doing: <T>(work: () => Promise<T>) => Promise<T>,
  ) {
    this.#client = client;
    this.#options = options;
    this.#doing = doing;
    this.identity = { server, ...options.selection };
  }

  get readAt(): string {
    return this.#readAt;
  }

  async begin(): Promise<void> {
    const client = this.#client;
    await client.connect();
    await client.query("BEGIN TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY");
    // Hours are fine, and so is a disk that makes us wait.
    await client.query("SET LOCAL statement_timeout = 0");
    await client.query("SET LOCAL idle_in_transaction_session_timeout = 0");
    const { selection } = this.#options;
    // The extended protocol takes one statement only: a query that is several is refused here.
    const statement: QueryConfig & { queryMode: "extended" } = {
      text: shapeStatement(selection),
      queryMode: "extended",
    };
    const shape = await client.query(statement);
    checkShape(selection, shape.fields[0]?.dataTypeID);
    const { rows } = await client.query<{ now: Date }>("SELECT now() AS now");
    this.#readAt = (rows[0]?.now ?? new Date()).toISOString();
  }

  estimate(after: bigint | undefined): Promise<number> {
    return this.#doing(async () => {
      const { rows } = await this.#client.query<{ "QUERY PLAN": { Plan: { "Plan Rows": number } }[] }>(
        `EXPLAIN (FORMAT JSON) ${songsStatement(this.#options.selection, after)}`,
      );
      return Math.round(rows[0]?.["QUERY PLAN"][0]?.Plan["Plan Rows"] ?? 0);
    });
  }

  async *read(after: bigint | undefined, signal: AbortSignal): AsyncGenerator<SongRows> {
    const statement = songsStatement(this.#options.selection, after);
    // Ends the statement, wherever it is: the connection is of no more use then.
    const stop = (): void => void this.#client.end();
    signal.throwIfAborted();
    signal.addEventListener("abort", stop, { once: true });
    try {
      yield* this.#fetch(statement, after);
    } catch (error) {
      signal.throwIfAborted();
      throw sourceError(this.identity.server, error);
    } finally {
      signal.removeEventListener("abort", stop);
    }
  }

  async *#fetch(statement: string, after: bigint | undefined): AsyncGenerator<SongRows> {
    const batcher = new SongBatcher(after);
    const cursor = this.#client.query(new Cursor<(string | null)[]>(statement, [], { rowMode: "array" }));
    for (let wanted = FIRST_ROWS; ;) {
      const rows = await cursor.read(wanted);
      if (rows.length === 0) break;
      let characters = 0;
      for (const [id, name = null, artist = null, lyrics = null] of rows) {
        characters += (name?.length ?? 0) + (artist?.length ?? 0) + (lyrics?.length ?? 0);
        batcher.add(typeof id === "string" ? BigInt(id) : undefined, name, artist, lyrics);
        if (batcher.isFull) yield batcher.take();
      }
      wanted = rowsOf(FETCH_CHARACTERS, characters / rows.length);
    }
    yield batcher.take();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#client.end();
  }
}

function rowsOf(characters: number, charactersOfRow: number): number {
  return Math.min(MOST_ROWS, Math.max(1, Math.floor(characters / Math.max(charactersOfRow, 1))));
}

/** The database that fails is the songs', and not one of Kindred's: messages and remedies say so. */
function sourceError(server: string, error: unknown): unknown {
  const translated = translatePgError(error);
  const name = `The songs' database ${server}`;
  const state = sqlStateOf(error);
  if (state?.startsWith("28")) {
    return new KindredError("failed-precondition", `${name} refuses the user or password of POSTGRES_URL`, {
      cause: error,
      metadata: { [SQL_STATE]: state },
    });
  }
  // What is wrong with the table, a column or the query is told in PostgreSQL's own words.
  if (state?.startsWith("42")) {
    return new KindredError("invalid-argument", `${name} cannot read this: ${messageOf(error)}`, {
      cause: error,
    });
  }
  if (translated instanceof KindredError && translated !== error) {
    const code = (translated.cause as { code?: unknown } | undefined)?.code;
    const text =
      translated.kind === "unavailable" && state === undefined
        ? `cannot be reached, or is gone (${typeof code === "string" ? code : messageOf(translated.cause)})`
        : `fails: ${messageOf(error)}`;
    return new KindredError(translated.kind, `${name} ${text}`, { cause: error });
  }
  return error;
}
