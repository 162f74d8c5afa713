import type { JsonObject } from "@kindred/operations";
import type { EndStatus } from "../generation.ts";

/**
 * What may go: a generation that maxAgeMicros or maxCount lets go, that ended as one of `statuses` says, and that nothing keeps. Running ones
 * stay. At least one of the two limits is there.
 */
export interface RetentionPolicy {
  name: string;
  /** Older ones may go. */
  maxAgeMicros: bigint | undefined;
  /** All but the newest so many, of those that ended so, may go. */
  maxCount: bigint | undefined;
  /** Each once; empty: all. */
  statuses: readonly EndStatus[];
  /** Keeps those that are rated so or better, 1 to 5. */
  keepRating: number | undefined;
  /** Keeps those with one of these. Each once. */
  keepLabels: readonly string[];
  /** Keeps those of which variations stay. A variation was recorded after what it varies. */
  keepParents: boolean;
  /** How often it is applied by itself; undefined: only when asked for. */
  everyMicros: bigint | undefined;
}

/** A policy and what was done by it. */
export interface RetentionPolicyState {
  policy: RetentionPolicy;
  /** When the last operation ended that had begun; undefined before. */
  lastAppliedAtMicros: bigint | undefined;
  /** What that one deleted. */
  lastDeleted: bigint;
  /** The one that goes on, or the last one; 0 when there was none. */
  operationId: bigint;
}

/** What a policy would delete at one moment. */
export interface RetentionPreview {
  count: bigint;
  /** All generations. */
  total: bigint;
  byStatus: readonly { status: EndStatus; count: bigint }[];
  /** When the oldest and the newest of them were recorded. */
  oldestMicros: bigint | undefined;
  newestMicros: bigint | undefined;
  /** Some of them, the oldest first. */
  sampleIds: readonly bigint[];
  /** Those that would go, too, were they not kept. */
  kept: bigint;
}

/** The policy as an operation keeps it: what was asked for, whatever becomes of the policy meanwhile. */
export function policySpec(policy: RetentionPolicy): JsonObject {
  const { maxAgeMicros, maxCount, keepRating } = policy;
  return {
    ...(maxAgeMicros !== undefined && { max_age: `${seconds(maxAgeMicros)}s` }),
    ...(maxCount !== undefined && { max_count: String(maxCount) }),
    statuses: [...policy.statuses],
    ...(keepRating !== undefined && { keep_rating: keepRating }),
    keep_labels: [...policy.keepLabels],
    keep_parents: policy.keepParents,
  };
}

/** What `policySpec` wrote. */
export function readPolicySpec(name: string, spec: JsonObject): RetentionPolicy {
  const { max_age: age, max_count: count, keep_rating: rating } = spec;
  return {
    name,
    maxAgeMicros: typeof age === "string" ? microsOfSeconds(age.slice(0, -1)) : undefined,
    maxCount: typeof count === "string" ? BigInt(count) : undefined,
    statuses: spec["statuses"] as EndStatus[],
    keepRating: typeof rating === "number" ? rating : undefined,
    keepLabels: spec["keep_labels"] as string[],
    keepParents: spec["keep_parents"] === true,
    everyMicros: undefined,
  };
}

/** As protobuf's JSON spells durations: "86400s", "0.5s". */
function seconds(micros: bigint): string {
  const rest = micros % 1_000_000n;
  return rest === 0n
    ? String(micros / 1_000_000n)
    : `${micros / 1_000_000n}.${String(rest).padStart(6, "0")}`;
}

function microsOfSeconds(text: string): bigint {
  const [whole = "0", rest = ""] = text.split(".");
  return BigInt(whole) * 1_000_000n + BigInt(rest.padEnd(6, "0"));
}
