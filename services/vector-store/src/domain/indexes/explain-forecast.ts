import type { Collection } from "../collection.ts";
import { grantedBytes, type Calibration, type ForecastFacts } from "./forecast.ts";
import type { IndexForecast } from "./index-ports.ts";

/** E.g. "29.3 MB". */
export function bytesText(bytes: number): string {
  const units = ["bytes", "kB", "MB", "GB", "TB"];
  let [value, unit] = [bytes, 0];
  while (value >= 1024 && unit < units.length - 1) [value, unit] = [value / 1024, unit + 1];
  return `${value >= 100 || unit === 0 ? Math.round(value) : value.toFixed(1)} ${units[unit]}`;
}

/** E.g. "850 ms", "12 s", "3.5 minutes". */
export function durationText(ms: number): string {
  if (ms < 1000) return `${Math.round(ms)} ms`;
  if (ms < 100_000) return `${(ms / 1000).toFixed(ms < 10_000 ? 1 : 0)} s`;
  return ms < 7_200_000 ? `${(ms / 60_000).toFixed(1)} minutes` : `${(ms / 3_600_000).toFixed(1)} hours`;
}

/** What speaks for a forecast's index, and against it. */
export function reasonsOf(
  forecast: Omit<IndexForecast, "reasons">,
  { dimensions }: Pick<Collection, "dimensions">,
  facts: ForecastFacts,
  calibration: Calibration | undefined,
): string[] {
  const { spec, sizeBytes, buildMemoryBytes, buildMs } = forecast;
  const { rows } = facts.table;
  const by = calibration ? `going by ${calibration.source}` : "by rule of thumb";
  const reasons = [
    `${bytesText(sizeBytes)} for ${rows} vectors of ${dimensions} dimensions, built in about ${durationText(buildMs)} (${by})`,
  ];
  if (spec.quantization === "binary")
    reasons.push(
      "the smallest; candidates are compared again by their whole vectors, which takes more of them for the same recall",
    );
  if (spec.quantization === "halfvec") reasons.push("half of each number's bits, at the same recall");
  if (spec.method === "ivfflat")
    reasons.push(
      `${spec.lists} lists: the quickest to build, but slower to search at the same recall, and to be built again as rows come in`,
    );
  if (spec.method === "diskann")
    reasons.push("quantised by vectorscale itself, for tables larger than memory");
  const granted = grantedBytes(buildMemoryBytes, facts);
  if (granted < buildMemoryBytes) {
    const consequence =
      spec.method === "ivfflat"
        ? "which the build refuses to go without"
        : "without which the build takes many times as long";
    reasons.push(
      `the build needs ${bytesText(buildMemoryBytes)} of memory, ${consequence}; it may have ${bytesText(granted)}: raise INDEX_BUILD_MEMORY`,
    );
  }
  return reasons;
}
