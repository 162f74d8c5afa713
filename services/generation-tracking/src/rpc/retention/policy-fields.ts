import { create } from "@bufbuild/protobuf";
import type { Duration } from "@bufbuild/protobuf/wkt";
import {
  RetentionPolicySchema,
  type RetentionPolicy as PolicyMessage,
} from "@kindred/contracts/generation-tracking/v1";
import type { FieldChecks } from "@kindred/rpc";
import type { EndStatus } from "../../domain/generation.ts";
import type { RetentionPolicy } from "../../domain/retention/policy.ts";
import { toDomainStatus, toProtoStatus } from "../messages.ts";
import { durationOf, microsOfDuration } from "../sessions/durations.ts";

const NAME = /^[a-z0-9_-]{1,63}$/;
const MINUTE_MICROS = 60_000_000n;
const DAY_MICROS = 1440n * MINUTE_MICROS;
/** The database's times begin some 6,700 years ago. */
const LONGEST_DAYS = { max_age: 36_500n, every: 366n };
const MAX_LABELS = 100;
const MAX_LABEL_CHARACTERS = 100;

export function checkPolicyName(field: string, name: string, checks: FieldChecks): void {
  if (!NAME.test(name)) {
    checks.add(
      field,
      `must be 1 to 63 small letters, digits, hyphens and underscores; is ${JSON.stringify(name.slice(0, 100))}`,
    );
  }
}

/** @param options.nameless whether the policy need not have a name */
export function readPolicy(
  message: PolicyMessage,
  field: string,
  checks: FieldChecks,
  options: { nameless?: boolean } = {},
): RetentionPolicy {
  const { name, maxCount, keepRating, keepLabels, keepParents } = message;
  if (name !== "" || !options.nameless) checkPolicyName(`${field}.name`, name, checks);
  const maxAgeMicros = readDuration(message.maxAge, field, "max_age", checks);
  const everyMicros = readDuration(message.every, field, "every", checks);
  if (maxCount !== undefined && maxCount < 0n)
    checks.add(`${field}.max_count`, `must not be negative, is ${maxCount}`);
  if (message.maxAge === undefined && maxCount === undefined)
    checks.add(field, "needs max_age or max_count: it would let nothing go");
  if (keepRating !== undefined && (keepRating < 1 || keepRating > 5))
    checks.add(`${field}.keep_rating`, `must be 1 to 5, is ${keepRating}`);
  if (keepLabels.length > MAX_LABELS)
    checks.add(`${field}.keep_labels`, `must be at most ${MAX_LABELS}, are ${keepLabels.length}`);
  for (const [i, label] of keepLabels.slice(0, MAX_LABELS).entries())
    checks.text(`${field}.keep_labels[${i}]`, label, { required: true, maxCharacters: MAX_LABEL_CHARACTERS });
  return {
    name,
    maxAgeMicros,
    maxCount,
    statuses: readStatuses(message, field, checks),
    keepRating,
    keepLabels: [...new Set(keepLabels)],
    keepParents,
    everyMicros,
  };
}

function readStatuses({ statuses }: PolicyMessage, field: string, checks: FieldChecks): EndStatus[] {
  const read = statuses.flatMap((each, i) => {
    const status = toDomainStatus(each);
    if (status !== undefined && status !== "running") return [status];
    checks.add(
      `${field}.statuses[${i}]`,
      `must be completed, failed or cancelled${status === "running" ? ": generations that run stay" : `; is ${each}`}`,
    );
    return [];
  });
  return [...new Set(read)];
}

function readDuration(
  duration: Duration | undefined,
  field: string,
  name: keyof typeof LONGEST_DAYS,
  checks: FieldChecks,
): bigint | undefined {
  if (!duration) return undefined;
  const micros = microsOfDuration(duration);
  const longest = LONGEST_DAYS[name];
  if (micros === undefined || micros < MINUTE_MICROS || micros > longest * DAY_MICROS)
    checks.add(`${field}.${name}`, `must be 1 minute to ${longest} days`);
  return micros;
}

export function toPolicyMessage(policy: RetentionPolicy): PolicyMessage {
  const { maxAgeMicros, maxCount, keepRating, everyMicros } = policy;
  return create(RetentionPolicySchema, {
    name: policy.name,
    statuses: policy.statuses.map(toProtoStatus),
    keepLabels: [...policy.keepLabels],
    keepParents: policy.keepParents,
    ...(maxAgeMicros !== undefined && { maxAge: durationOf(maxAgeMicros) }),
    ...(maxCount !== undefined && { maxCount }),
    ...(keepRating !== undefined && { keepRating }),
    ...(everyMicros !== undefined && { every: durationOf(everyMicros) }),
  });
}
