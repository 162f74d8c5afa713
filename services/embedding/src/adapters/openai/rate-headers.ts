import type { ReportedLimits } from "../../domain/remote/provider.ts";

/** What is left of the account's allowance, as OpenAI and (with "-prompt") Fireworks say it. */
export function reportedLimits(headers: Headers): ReportedLimits | undefined {
  const remainingRequests = numberIn(headers, "x-ratelimit-remaining-requests");
  const remainingTokens =
    numberIn(headers, "x-ratelimit-remaining-tokens") ??
    numberIn(headers, "x-ratelimit-remaining-tokens-prompt");
  if (remainingRequests === undefined && remainingTokens === undefined) return undefined;
  return { remainingRequests, remainingTokens };
}

/**
 * How long to wait, in milliseconds: `retry-after-ms`, `retry-after` (seconds or an HTTP date), and for want of both the time until the
 * allowance that is used up is whole again (`x-ratelimit-reset-*`). Undefined when nothing is said.
 * @param nowMs the time of day, for dates.
 */
export function retryAfterMs(headers: Headers, nowMs: number): number | undefined {
  const exact = numberIn(headers, "retry-after-ms");
  if (exact !== undefined) return exact;
  const said = headers.get("retry-after")?.trim();
  if (said !== undefined && said !== "") {
    const seconds = Number(said);
    if (Number.isFinite(seconds) && seconds >= 0) return seconds * 1000;
    // Date.parse takes nearly any number for a year.
    const date = /^[A-Z][a-z]{2}/.test(said) ? Date.parse(said) : Number.NaN;
    if (!Number.isNaN(date)) return Math.max(0, date - nowMs);
  }
  const resets = ["requests", "tokens", "tokens-prompt"].flatMap((what) =>
    numberIn(headers, `x-ratelimit-remaining-${what}`) === 0
      ? (durationMs(headers.get(`x-ratelimit-reset-${what}`)) ?? [])
      : [],
  );
  return resets.length === 0 ? undefined : Math.max(...resets);
}

function numberIn(headers: Headers, name: string): number | undefined {
  const text = headers.get(name)?.trim();
  if (text === undefined || text === "") return undefined;
  const value = Number(text);
  return Number.isFinite(value) && value >= 0 ? value : undefined;
}

const UNIT_MS: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 };

/** A duration such as "1s", "6m0s", "20ms", "1h2m3.5s"; a bare number is seconds. */
export function durationMs(text: string | null): number | undefined {
  const said = text?.trim() ?? "";
  if (/^\d+(\.\d+)?$/.test(said)) return Number(said) * 1000;
  if (!/^(\d+(\.\d+)?(ms|s|m|h|d))+$/.test(said)) return undefined;
  let sum = 0;
  for (const [, amount, unit] of said.matchAll(/(\d+(?:\.\d+)?)(ms|s|m|h|d)/g)) {
    sum += Number(amount) * (UNIT_MS[unit as string] as number);
  }
  return sum;
}
