import { KindredError } from "@kindred/errors";
import type { Database } from "@kindred/postgres";

/** A server that does not answer within this time is taken to be gone. */
export const LOOK_TIMEOUT_MS = 2000;

/** An hour of positions: what is further behind serves nobody. */
const MOST_KEPT = 4000;

/** How far a server's log goes, and which data it is about. */
export interface LogPosition {
  /** Bytes since the log began. */
  bytes: bigint;
  /** Of the database: a replica has the same. */
  identity: string;
}

const IDENTITY = "(SELECT system_identifier FROM pg_control_system()) || '/' || current_database()";

/**
 * What a primary has written of its log. All that was committed is in there, but for what was committed with synchronous_commit off
 * within the last half a second or so.
 */
export async function readPosition(db: Database): Promise<LogPosition> {
  const { rows } = await db.statement<{ bytes: string; identity: string }>(
    { text: `SELECT (pg_current_wal_lsn() - '0/0')::text AS bytes, ${IDENTITY} AS identity`, values: [] },
    { readOnly: true, timeoutMs: LOOK_TIMEOUT_MS },
  );
  const { bytes, identity } = rows[0] as (typeof rows)[0];
  return { bytes: BigInt(bytes), identity };
}

/**
 * What a replica has replayed of it.
 * @throws KindredError failed-precondition for a server that replays nothing.
 */
export async function readReplayed(db: Database): Promise<LogPosition> {
  const { rows } = await db.statement<{ bytes: string | null; identity: string; replays: boolean }>(
    {
      text: `SELECT (pg_last_wal_replay_lsn() - '0/0')::text AS bytes, ${IDENTITY} AS identity, pg_is_in_recovery() AS replays`,
      values: [],
    },
    { readOnly: true, timeoutMs: LOOK_TIMEOUT_MS },
  );
  const { bytes, identity, replays } = rows[0] as (typeof rows)[0];
  if (!replays || bytes === null)
    throw new KindredError("failed-precondition", "it is no replica: it does not replay a primary's log");
  return { bytes: BigInt(bytes), identity };
}

/** Where the primary was in its log, and when it was asked. */
export class PrimaryPositions {
  readonly #noted: { at: number; bytes: bigint }[] = [];
  #identity: string | undefined;

  /** @param at when the question was sent: whatever was committed before that is in the answer */
  note(at: number, { bytes, identity }: LogPosition): void {
    const last = this.#noted.at(-1);
    // Another server, or another history of the same: what was noted says nothing about it.
    if (identity !== this.#identity || (last && bytes < last.bytes)) this.#noted.length = 0;
    this.#identity = identity;
    this.#noted.push({ at, bytes });
    if (this.#noted.length > MOST_KEPT) this.#noted.shift();
  }

  /**
   * The last time, as performance.now() tells it, whose commits are all in what was replayed; undefined where that is not known.
   * @throws KindredError failed-precondition for the log of another database
   */
  reachedBy({ bytes, identity }: LogPosition): number | undefined {
    if (this.#identity !== undefined && identity !== this.#identity) {
      throw new KindredError(
        "failed-precondition",
        `it is no replica of this database: it has ${identity}, and not ${this.#identity} (server/database)`,
      );
    }
    return this.#noted.findLast((position) => position.bytes <= bytes)?.at;
  }
}
