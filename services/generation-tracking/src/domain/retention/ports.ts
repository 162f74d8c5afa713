import { KindredError } from "@kindred/errors";
import type { CallLimits } from "@kindred/operations";
import type { RetentionPolicy, RetentionPolicyState, RetentionPreview } from "./policy.ts";

/** A policy that is to be applied by itself now. */
export interface DuePolicy {
  policy: RetentionPolicy;
  /** The same for whoever finds it due, and another one the next time. */
  requestId: string;
}

/** Policies in the database. Errors are KindredErrors. */
export interface RetentionPolicies {
  put(policy: RetentionPolicy, limits: CallLimits): Promise<{ policy: RetentionPolicy; created: boolean }>;
  find(name: string, limits: CallLimits): Promise<RetentionPolicy | undefined>;
  /** By name. */
  list(limits: CallLimits): Promise<RetentionPolicyState[]>;
  /** @returns whether there was one */
  remove(name: string, limits: CallLimits): Promise<boolean>;
  /** Those whose time has come by the database's clock, and of which no operation goes on. */
  due(limits: CallLimits): Promise<DuePolicy[]>;
}

/** How far a deletion is. */
export interface RetentionRun {
  /** What was to be deleted when it began. */
  total: bigint;
  deleted: bigint;
  /** Whether all has been looked at. */
  over: boolean;
}

/** Deletes generations. Errors are KindredErrors. */
export interface RetentionRuns {
  /** What a policy would delete now. */
  preview(policy: RetentionPolicy, limits: CallLimits): Promise<RetentionPreview>;
  /** Decides, the first time, how old is old enough: what is recorded from then on is not touched. */
  begin(operationId: bigint, policy: RetentionPolicy, limits: CallLimits): Promise<RetentionRun>;
  /**
   * Looks at the next generations, and deletes those that go, in one short transaction, with the account of it.
   * @throws KindredError not-found when it was not begun
   */
  deleteSome(operationId: bigint, policy: RetentionPolicy, limits: CallLimits): Promise<RetentionRun>;
}

export function noPolicy(name: string): KindredError {
  return new KindredError("not-found", `there is no retention policy ${JSON.stringify(name)}`);
}
