import type { ErrorKind } from "@kindred/errors";
import type { JsonObject, Operation, OperationProgress } from "./operation.ts";

/** An operation that this process has taken upon itself, until its lease is over. */
export interface Claim<Kind extends string = string> {
  operation: Operation<Kind>;
  /** Of this claim alone: who claims the operation afterwards, in the same process too, has another one. */
  owner: string;
  /** It was asked to end: all that is left to do is to clean up. */
  cancelRequested: boolean;
  /** How often in a row it was interrupted or ran into trouble, without a checkpoint in between; this time included. */
  setbacks: number;
}

/** How a claimed operation stands. Undefined in its place: the lease is lost, and with it the right to write anything. */
export interface Standing {
  cancelRequested: boolean;
  /** Whether what it is about is still there. */
  subjectExists: boolean;
}

/** What is to be written down of an operation, with whatever else is written. */
export interface Said {
  /** Undefined: as it was. */
  progress: MeasuredProgress | undefined;
  /** To be added to those that are there. */
  notes: readonly string[];
}

export interface MeasuredProgress extends OperationProgress {
  /** How long ago the stretch began that the rate is measured over, in milliseconds, and what was done then. */
  measuredMs: number;
  measuredFromDone: number;
}

export type Outcome =
  | { state: "succeeded"; result: JsonObject }
  | { state: "failed"; kind: ErrorKind; message: string }
  | { state: "cancelled" };

/**
 * The right to do operations, in the database, by leases of the database's clock. Each write is refused to whoever has lost the lease.
 * Everything rejects with KindredErrors.
 */
export interface OperationClaims<Kind extends string = string> {
  /**
   * Whether a renewal may have to wait for what the operation itself does, as all else does where one session serves everybody. A lease that was
   * not renewed in time is not lost there until the database says so.
   */
  readonly renewalsWait: boolean;
  /**
   * The oldest operation of these kinds that nobody does: that is queued, or whose lease is over. Undefined: there is none. While one of
   * the kinds that are done alone is being done, no other one of them is given out.
   * @param except what is done here, whatever has become of its lease
   */
  claim(kinds: readonly Kind[], leaseMs: number, except: readonly bigint[]): Promise<Claim<Kind> | undefined>;
  /** The lease lasts for so long from now. */
  renew(claim: Claim, leaseMs: number): Promise<Standing | undefined>;
  say(claim: Claim, said: Said): Promise<Standing | undefined>;
  checkpoint(claim: Claim, state: JsonObject, said: Said): Promise<Standing | undefined>;
  /** Counts trouble that may pass. @returns how many there were in a row, and how the operation stands */
  setBack(claim: Claim, said: Said): Promise<(Standing & { setbacks: number }) | undefined>;
  /** @returns whether it was ours to end */
  finish(claim: Claim, outcome: Outcome, said: Said): Promise<boolean>;
  /** For whoever goes on: at once. */
  handBack(claim: Claim, said: Said): Promise<void>;
}
