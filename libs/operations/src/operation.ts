import type { ErrorKind } from "@kindred/errors";

export type JsonValue = null | boolean | number | string | JsonValue[] | { [key: string]: JsonValue };
export type JsonObject = { [key: string]: JsonValue };

export type OperationState = "queued" | "running" | "cancelling" | "succeeded" | "failed" | "cancelled";

export const ACTIVE_STATES: readonly OperationState[] = ["queued", "running", "cancelling"];

/** What a service calls its operations, for people. */
export interface OperationTerms<Kind extends string> {
  /** What operations are about, e.g. "collection". */
  subject: string;
  /** Each kind, e.g. "index build". */
  kinds: Record<Kind, string>;
  /** What people see in front of ids, so that those of services that count by themselves are told apart, e.g. "g" (default: nothing). */
  idPrefix?: string;
}

/** Long work, as it stands in the database. */
export interface Operation<Kind extends string = string> {
  id: bigint;
  kind: Kind;
  /** The name of what it is about. */
  subject: string;
  state: OperationState;
  progress: OperationProgress;
  /** Units a second over the phase; undefined where that is not known. */
  rate: number | undefined;
  /** Until the phase's end, in milliseconds; undefined where that is not known. */
  remainingMs: number | undefined;
  /** What was asked for; the handler of its kind reads it. */
  spec: JsonObject;
  /** What the handler needs to go on after a crash; {} before it wrote something. */
  checkpoint: JsonObject;
  /** What came of it; undefined before its end. */
  result: JsonObject | undefined;
  failure: { kind: ErrorKind; message: string } | undefined;
  notes: readonly string[];
  /** Whether the service began it by itself. */
  automatic: boolean;
  /** How often it was begun. */
  attempts: number;
  createdAt: Date;
  startedAt: Date | undefined;
  updatedAt: Date;
  finishedAt: Date | undefined;
}

/** What an operation is doing at the moment. */
export interface OperationProgress {
  /** For people, e.g. "build: loading tuples". */
  phase: string;
  /** From 1; 0 before the first. */
  phaseNumber: number;
  phaseCount: number;
  done: number;
  /** 0 where that is not known. */
  total: number;
  /** What is counted, e.g. "rows". */
  unit: string;
}

export interface NewOperation<Kind extends string = string> {
  kind: Kind;
  subject: string;
  spec: JsonObject;
  automatic: boolean;
  /** Unique; undefined: none. */
  requestId: string | undefined;
}

/** What a handler is given of its operation. */
export interface OperationContext<Kind extends string = string> {
  operation: Operation<Kind>;
  /**
   * Aborted when the operation is cancelled (the reason is a KindredError of kind "cancelled"), when this process shuts down, and when
   * its lease is lost (kind "aborted"): in the last two cases another process, or the next one, goes on, so nothing is to be undone.
   * While it cleans up, it is aborted in those two cases only.
   */
  signal: AbortSignal;
  /** Written down at most some times a second; never rejects. */
  report(progress: OperationProgress): void;
  /** Something to know, for whoever looks at the operation. Never rejects. */
  note(text: string): void;
  /**
   * Written down before it resolves, with what was said before. Trouble is counted anew from here, so it should mean that the operation
   * got further. @throws KindredError aborted when the lease is lost
   */
  checkpoint(state: JsonObject): Promise<void>;
}

/**
 * Does the work of one kind of operation. It may be run again after any crash, from the last checkpoint: every step is either known to be
 * done from what is in the database, or can be done again.
 */
export interface OperationHandler<Kind extends string = string> {
  kind: Kind;
  /**
   * @returns what came of it. @throws KindredError: the operation has failed, unless the signal says otherwise. What passes (unavailable,
   *   aborted, deadline-exceeded; resource-exhausted with a retry delay) is tried again first, some times in a row, from the last checkpoint.
   */
  run(context: OperationContext<Kind>): Promise<JsonObject>;
  /** Removes what a cancelled or failed operation has made. May be run again after a crash; its failure is only logged. */
  cleanUp(context: OperationContext<Kind>): Promise<void>;
}

export interface OperationQuery {
  /** Undefined: about anything. */
  subject: string | undefined;
  /** Only those that have not ended. */
  active: boolean;
  /** Only those with smaller ids. */
  beforeId: bigint | undefined;
  limit: number;
}

/** Operations in the database. */
export interface OperationStore<Kind extends string = string> {
  /**
   * Writes an operation down; whoever is free takes it.
   * @returns the operation that was begun with this request id, where there is one.
   * @throws KindredError not-found when there is no such subject; the kind that the service chose for it (aborted, with a retry delay, or
   *   already-exists) while another operation of the subject is in its way, which the message names; already-exists for a request id of
   *   another request
   */
  start(operation: NewOperation<Kind>, limits: CallLimits): Promise<Operation<Kind>>;
  /** @throws KindredError not-found */
  get(id: bigint, limits: CallLimits): Promise<Operation<Kind>>;
  /** By descending id, below `beforeId`. */
  list(query: OperationQuery, limits: CallLimits): Promise<Operation<Kind>[]>;
  /** @throws KindredError not-found; failed-precondition when it has ended */
  cancel(id: bigint, limits: CallLimits): Promise<Operation<Kind>>;
  /** The operation as it is, then whenever it changes, until it has ended or the signal is aborted. */
  watch(id: bigint, limits: CallLimits): AsyncIterable<Operation<Kind>>;
}

/** How long the caller waits, and whether it still does. */
export interface CallLimits {
  signal?: AbortSignal | undefined;
  /** Time that is left, in milliseconds; undefined without a deadline. */
  timeoutMs?: number | undefined;
}
