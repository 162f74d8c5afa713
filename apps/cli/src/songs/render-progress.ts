import type { ProgressSnapshot } from "@kindred/songs";
import { formatBytes, formatCount, formatMs, plural } from "../terminal/format.ts";

/** "reading: 1,200,000 of ~12,000,000 songs, 10 %, 41,000/s, 4 min 23 s left, 2.1 GiB, 310 without lyrics" */
export function progressLine(progress: ProgressSnapshot): string {
  return `${progress.phase}: ${countOf(progress)}${detailsOf(progress)}`;
}

/** All of it but the phase, the part and the bar, which stand beside it in a terminal. */
export function progressDetail(progress: ProgressSnapshot): string {
  return `${countOf(progress)}${detailsOf(progress, { percent: false })}`;
}

function countOf({ done, total, totalIsEstimate }: ProgressSnapshot): string {
  return total === null
    ? plural(done, "song")
    : `${formatCount(done)} of ${totalIsEstimate ? "~" : ""}${plural(total, "song")}`;
}

function detailsOf(progress: ProgressSnapshot, { percent = true } = {}): string {
  const { done, total, perSecond, leftMs, bytes, tokens, skipped, truncated, retries } = progress;
  const share = total === null || total === 0 ? undefined : Math.min(done / total, 1);
  const parts = [
    percent && share !== undefined && done > 0 ? formatPart(share) : "",
    perSecond === null ? "" : `${formatRate(perSecond)}/s`,
    leftMs === null ? "" : `${formatLeft(leftMs)} left`,
    bytes > 0 ? formatBytes(bytes) : "",
    tokens > 0 ? plural(tokens, "token") : "",
    costOf(progress),
    skipped > 0 ? `${formatCount(skipped)} without lyrics` : "",
    truncated > 0 ? `${formatCount(truncated)} cut` : "",
    retries > 0 ? (retries === 1 ? "1 retry" : `${formatCount(retries)} retries`) : "",
    waitsOf(progress),
    progress.waiting === null ? "" : `waiting: ${progress.waiting}`,
  ];
  return parts
    .filter((part) => part !== "")
    .map((part) => `, ${part}`)
    .join("");
}

/** "10 %", "99.9 %": cut, and not rounded, for nothing is done before it is. */
function formatPart(share: number): string {
  return `${Math.floor(1_000 * share) / 10} %`;
}

function costOf({ cost }: ProgressSnapshot): string {
  if (!cost) return "";
  const { soFar, estimatedTotal, currency } = cost;
  const ofTotal = estimatedTotal === null ? "" : ` of ~${estimatedTotal.toFixed(2)}`;
  return `${soFar.toFixed(2)}${ofTotal} ${currency}`;
}

function waitsOf({ rateLimitWaits, rateLimitWaitMs }: ProgressSnapshot): string {
  if (rateLimitWaits === 0) return "";
  return `${plural(rateLimitWaits, "wait")} for the rate limit (${formatMs(rateLimitWaitMs)})`;
}

function formatRate(perSecond: number): string {
  return perSecond < 10 ? String(Number(perSecond.toFixed(1))) : formatCount(Math.round(perSecond));
}

/** "4 min 23 s", "5 h 12 min", "3 days 4 h": runs take days. */
export function formatLeft(ms: number): string {
  const minutes = Math.round(ms / 60_000);
  if (minutes < 60) return formatMs(ms);
  const hours = Math.floor(minutes / 60);
  if (hours < 48) return `${hours} h ${minutes % 60} min`;
  return `${plural(Math.floor(hours / 24), "day")} ${hours % 24} h`;
}
