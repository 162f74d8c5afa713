import type { JsonObject, JsonValue } from "@bufbuild/protobuf";
import { timestampDate } from "@bufbuild/protobuf/wkt";
import { OperationState, type Operation } from "@kindred/contracts/common/v1";
import {
  formatBytes,
  formatCount,
  formatMs,
  formatPercent,
  formatShare,
  millisecondsOf,
} from "../terminal/format.ts";
import { idTextOf, kindOf, subjectOf } from "./any-operation.ts";

const STATES: Record<OperationState, string> = {
  [OperationState.UNSPECIFIED]: "unknown",
  [OperationState.QUEUED]: "queued",
  [OperationState.RUNNING]: "running",
  [OperationState.CANCELLING]: "cancelling",
  [OperationState.SUCCEEDED]: "done",
  [OperationState.FAILED]: "failed",
  [OperationState.CANCELLED]: "cancelled",
};

const ENDED: ReadonlySet<Operation["state"]> = new Set([
  OperationState.SUCCEEDED,
  OperationState.FAILED,
  OperationState.CANCELLED,
]);

export function isOver({ state }: Pick<Operation, "state">): boolean {
  return ENDED.has(state);
}

export function stateOf({ state }: Pick<Operation, "state">): string {
  return STATES[state] ?? String(state);
}

/** "index build 17 of songs" */
export function titleOf(operation: Operation): string {
  return `${kindOf(operation)} ${idTextOf(operation)} of ${subjectOf(operation)}`;
}

/** What it is at: "2/5 build: loading tuples"; nothing before it says so. */
export function phaseOf({ phase, phaseNumber, phaseCount }: Operation): string {
  const place = phaseNumber > 0 && phaseCount > 0 ? `${phaseNumber}/${phaseCount}` : "";
  return [place, phase].filter((part) => part !== "").join(" ");
}

/** How much of the phase is done, and how fast: "1,200 of 5,000 rows", "400 rows/s", "9.5 s left". */
export function progressOf({ done, total, unit, rate, remaining }: Operation): string[] {
  const amount = total > 0n ? `${formatCount(done)} of ${formatCount(total)}` : formatCount(done);
  return [
    done > 0n || total > 0n ? `${amount} ${unit}`.trimEnd() : "",
    rate > 0 ? `${formatRate(rate)} ${unit}/s`.replace(" /s", "/s") : "",
    remaining && total > done ? `${formatMs(millisecondsOf(remaining))} left` : "",
  ].filter((part) => part !== "");
}

/** How far the phase is, from 0 to 1; undefined where that is not known. */
export function shareOf({ done, total }: Operation): number | undefined {
  return total > 0n ? Math.min(1, Number(done) / Number(total)) : undefined;
}

/** How long it has been at it, in milliseconds, until now or its end; undefined before it was begun. */
export function elapsedMs({ startedAt, finishedAt }: Operation, now: Date): number | undefined {
  if (!startedAt) return undefined;
  const end = finishedAt ? timestampDate(finishedAt) : now;
  return Math.max(0, end.getTime() - timestampDate(startedAt).getTime());
}

/**
 * What an operation was asked, or came to, as names and values for people. The members are those of its kind; their names tell the
 * units, as everywhere in Kindred. Lists of objects, whole curves for example, are for programs.
 */
export function pairsOf(object: JsonObject | undefined): [name: string, value: string][] {
  return Object.entries(object ?? {}).flatMap(([name, value]) => {
    const text = valueText(name, value);
    return text === "" ? [] : [[nameText(name), text] as [string, string]];
  });
}

function nameText(name: string): string {
  return name
    .replace(/_bytes$/, "")
    .replace(/(^|_)(ms|seconds)$/, "$1time")
    .replaceAll("_", " ");
}

/** Empty where there is nothing to show. */
function valueText(name: string, value: JsonValue): string {
  if (value === null) return "";
  if (typeof value === "string") return value;
  if (typeof value === "boolean") return value ? "yes" : "no";
  if (typeof value === "number") return numberText(name, value);
  if (Array.isArray(value)) {
    const isPlain = value.every((item) => typeof item !== "object");
    return isPlain ? value.map((item) => valueText(name, item)).join(", ") : "";
  }
  return pairsOf(value)
    .map((pair) => pair.join(" "))
    .join(", ");
}

function numberText(name: string, value: number): string {
  if (name.endsWith("_bytes")) return formatBytes(value);
  if (name === "ms" || name.endsWith("_ms")) return formatMs(value);
  if (name.endsWith("_seconds")) return formatMs(1_000 * value);
  if (name.includes("selectivity")) return formatPercent(value);
  return Number.isInteger(value) ? formatCount(value) : formatShare(value);
}

function formatRate(rate: number): string {
  return rate >= 10 ? formatCount(Math.round(rate)) : String(Number(rate.toPrecision(2)));
}
