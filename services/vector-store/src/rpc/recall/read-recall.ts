import { durationMs, type Duration } from "@bufbuild/protobuf/wkt";
import { QuerySource } from "@kindred/contracts/vector-store/v1";
import type { FieldChecks } from "@kindred/rpc";
import { COLLECTION } from "../../domain/collection.ts";
import type { QueryOrigin } from "../../domain/recall/recall.ts";
import { readName } from "../collections/collection-fields.ts";
import { checkText } from "../text-checks.ts";

// What requests about recall have in common. Each reader notes what is wrong, and gives what it could make of the rest.

const MAX_INDEX_NAME_CHARACTERS = 63;

export const PAGE_SIZES = { max: 1000, zero: 50 };

const ORIGINS = new Map<QuerySource, QueryOrigin>([
  [QuerySource.UNSPECIFIED, "auto"],
  [QuerySource.RECENT, "recent"],
  [QuerySource.STORED, "stored"],
  [QuerySource.MIXED, "mixed"],
]);

export function readCollectionName(name: string, checks: FieldChecks): string {
  return name === "" ? COLLECTION : readName(name, "collection", checks);
}

/** Undefined for the empty one. */
export function readIndexName(name: string, checks: FieldChecks): string | undefined {
  checkText(checks, "index_name", name, { maxCharacters: MAX_INDEX_NAME_CHARACTERS });
  return name === "" ? undefined : name;
}

export function readOrigin(source: QuerySource, checks: FieldChecks): QueryOrigin {
  const origin = ORIGINS.get(source);
  if (!origin) checks.add("source", `must be a known QuerySource, is ${source}`);
  return origin ?? "auto";
}

/** `zero` is what 0 stands for. */
export function readQueries(
  queries: number,
  { min, max, zero }: { min: number; max: number; zero: number },
  checks: FieldChecks,
): number {
  if (queries === 0) return zero;
  if (queries < min || queries > max) {
    checks.add("queries", `must be ${min} to ${max}, or 0 for ${zero}; is ${queries}`);
  }
  return queries;
}

/** In milliseconds. */
export function readMaxDuration(
  duration: Duration | undefined,
  { maxMs, notSet }: { maxMs: number; notSet: number },
  checks: FieldChecks,
): number {
  if (duration === undefined) return notSet;
  const ms = durationMs(duration);
  if (!(ms > 0 && ms <= maxMs)) {
    checks.add("max_duration", `must be above 0 and at most ${maxMs / 1000} seconds, is ${ms / 1000}`);
  }
  return ms;
}
