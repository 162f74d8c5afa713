import type { JsonObject, JsonValue } from "../generation.ts";

/** What somebody asks for from when to when. Times are microseconds since 1970, by the database's clock. */
export interface Session {
  /** The caller's, or a UUID; empty for rows that somebody wrote by hand without one. */
  sessionId: string;
  /** Empty when nobody said whose it is. */
  userId: string;
  startMicros: bigint;
  /** undefined while it goes on. */
  endMicros: bigint | undefined;
  totalRequests: bigint;
  totalGenerations: bigint;
  data: JsonObject | undefined;
  lastSeenMicros: bigint;
  /** How long it may be silent; undefined for rows that were written by hand: those never end by themselves. */
  idleTimeoutMicros: bigint | undefined;
  /** Whether it ended because nobody touched it. */
  expired: boolean;
}

export interface NewSession {
  sessionId: string;
  userId: string;
  data: JsonObject | undefined;
  idleTimeoutMicros: bigint;
}

/** What a touch adds to a session. */
export interface SessionTouch {
  requests: number;
  /** Members of its data that get a value. */
  set: Readonly<Record<string, JsonValue>>;
  /** Members that are removed. */
  removed: readonly string[];
}

/** Conditions that all have to hold; an absent one always holds. */
export interface SessionFilter {
  userId: string | undefined;
  /** Whether it goes on. */
  active: boolean | undefined;
  /** Begun at or after this time. */
  startedAfterMicros: bigint | undefined;
  /** Begun before this time. */
  startedBeforeMicros: bigint | undefined;
}

/** The order of lists: the latest begun first, then by the row's id. */
export interface SessionPosition {
  startMicros: bigint;
  rowId: bigint;
}

/** Where sessions are kept. A session whose time is over has ended, whether or not that is written down yet. Errors are KindredErrors. */
export interface SessionStore {
  /** @returns undefined when there is one with its id: then nothing was stored. One of several calls with the same id stores it. */
  insert(session: NewSession): Promise<Session | undefined>;
  find(sessionId: string): Promise<Session | undefined>;
  /**
   * Counts, and says that it is alive. Concurrent touches all count.
   * @param check looks at the session as it would be; what it throws undoes the touch
   * @returns undefined, with nothing changed, when none with this id goes on, or its data is to be changed and is no object
   */
  touch(
    sessionId: string,
    touch: SessionTouch,
    check: (session: Session) => void,
  ): Promise<Session | undefined>;
  /** Ends it unless it has ended; undefined when there is none. */
  end(sessionId: string): Promise<Session | undefined>;
  /** At most `limit` sessions, the latest begun first, from behind `after`. */
  list(query: {
    filter: SessionFilter;
    after: SessionPosition | undefined;
    limit: number;
  }): Promise<{ session: Session; position: SessionPosition }[]>;
  /** Writes down the end of up to `limit` sessions whose time is over, passing over those that somebody else changes. @returns how many */
  endIdle(limit: number): Promise<number>;
}
