import { create, type MessageInitShape } from "@bufbuild/protobuf";
import type { Duration } from "@bufbuild/protobuf/wkt";
import { RetentionPolicySchema, type RetentionPolicy } from "@kindred/contracts/generation-tracking/v1";
import { InvalidArgumentError, Option, type Command } from "commander";
import { integerOption, repeatable } from "../../commands/parse.ts";
import { ratingOption } from "../arguments.ts";
import { END_STATUSES, type EndStatusName } from "../status.ts";

/** A policy, as options. */
export interface PolicyOptions {
  olderThan?: bigint;
  keepNewest?: number;
  status?: readonly EndStatusName[];
  keepRating?: number;
  keepLabel?: readonly string[];
  keepParents?: true;
  every?: bigint;
}

const UNITS = { s: 1n, m: 60n, h: 3600n, d: 86_400n, w: 604_800n } as const;

/** Adds the options of PolicyOptions. */
export function addPolicyOptions(command: Command): Command {
  return command
    .option("--older-than <age>", "what was recorded so long ago may go, e.g. 90d, 12h or 4w", spanOption)
    .option(
      "--keep-newest <count>",
      "all but the newest so many may go",
      integerOption(0, Number.MAX_SAFE_INTEGER),
    )
    .addOption(
      new Option("--status <status>", "only what ended so; may be given several times").argParser(
        statusOption,
      ),
    )
    .option("--keep-rating <stars>", "keep what is rated so or better, 1 to 5", ratingOption)
    .option("--keep-label <label>", "keep what has this label; may be given several times", repeatable)
    .option("--keep-parents", "keep what generations that stay are variations of");
}

/** "30m", "90d" in seconds. */
export function spanOption(raw: string): bigint {
  const [, count, unit] = /^(\d{1,9})([smhdw])$/.exec(raw.trim()) ?? [];
  if (count === undefined) throw new InvalidArgumentError("It must be a time such as 30m, 12h, 90d or 4w.");
  return BigInt(count) * UNITS[unit as keyof typeof UNITS];
}

function statusOption(raw: string, earlier: readonly EndStatusName[] = []): readonly EndStatusName[] {
  if (!Object.hasOwn(END_STATUSES, raw))
    throw new InvalidArgumentError(`It must be one of ${Object.keys(END_STATUSES).join(", ")}.`);
  return [...earlier, raw as EndStatusName];
}

/** Whether any option says what the policy is. */
export function hasPolicy(options: PolicyOptions): boolean {
  return Object.keys(options).length > 0;
}

export function policyOf(name: string, options: PolicyOptions): RetentionPolicy {
  const { olderThan, keepNewest, keepRating, every } = options;
  const init: MessageInitShape<typeof RetentionPolicySchema> = {
    name,
    statuses: (options.status ?? []).map((status) => END_STATUSES[status]),
    keepLabels: [...(options.keepLabel ?? [])],
    keepParents: options.keepParents ?? false,
    ...(olderThan !== undefined && { maxAge: { seconds: olderThan } }),
    ...(keepNewest !== undefined && { maxCount: BigInt(keepNewest) }),
    ...(keepRating !== undefined && { keepRating }),
    ...(every !== undefined && { every: { seconds: every } }),
  };
  return create(RetentionPolicySchema, init);
}

/** As the option takes it: in the greatest unit that leaves nothing over. */
export function spanText({ seconds, nanos }: Duration): string {
  if (nanos !== 0) return `${Number(seconds) + nanos / 1e9}s`;
  const [unit, length] = Object.entries(UNITS)
    .filter(([name]) => name !== "w")
    .toReversed()
    .find(([, each]) => seconds % each === 0n) ?? ["s", 1n];
  return `${seconds / length}${unit}`;
}
