import type { GenerationFilter } from "./generation-filter.ts";
import type { GenerationStatus } from "./generation.ts";

export type ReportInterval = "hour" | "day";

export interface ReportQuery {
  filter: GenerationFilter;
  /** Undefined: no spans. */
  interval: ReportInterval | undefined;
  /** IANA name, whose hours and days they are. */
  timeZone: string;
  /** At most so many models. */
  models: number;
}

/** Some numbers in figures; quantiles are between two numbers, linearly. */
export interface Distribution {
  count: bigint;
  /** The figures; undefined when there is no number. */
  figures: { average: number; min: number; p50: number; p95: number; p99: number; max: number } | undefined;
}

/** Some generations in figures. */
export interface GenerationSummary {
  count: bigint;
  /** Those of which there are any. */
  byStatus: readonly { status: GenerationStatus; count: bigint }[];
  /** Of the completed ones that have it. */
  generationTimeMs: Distribution;
  memoryUsageMb: Distribution;
  /** When the first and the last one were recorded, in microseconds since 1970; undefined when there is none. */
  firstMicros: bigint | undefined;
  lastMicros: bigint | undefined;
}

/** Figures that are exact, all of one snapshot. */
export interface GenerationReport {
  all: GenerationSummary;
  last24Hours: GenerationSummary;
  /** From the first to the last generation, those without any too. */
  spans: readonly { startMicros: bigint; summary: GenerationSummary }[];
  /** Those with the most generations first, by name where there are as many; the name is empty for generations without one. */
  byModel: readonly { modelName: string; summary: GenerationSummary }[];
  asOfMicros: bigint;
}

/** Failed ones among those that completed or failed, 0 to 1; undefined when there are none. */
export function failureRate({ byStatus }: Pick<GenerationSummary, "byStatus">): number | undefined {
  const of = (wanted: GenerationStatus): number =>
    Number(byStatus.find(({ status }) => status === wanted)?.count ?? 0n);
  const ended = of("completed") + of("failed");
  return ended === 0 ? undefined : of("failed") / ended;
}

const MICROS_PER_HOUR = 3_600_000_000;

/** Generations an hour from the first to the last one; undefined for fewer than two, and where all are of one moment. */
export function perHour(
  summary: Pick<GenerationSummary, "count" | "firstMicros" | "lastMicros">,
): number | undefined {
  const { count, firstMicros, lastMicros } = summary;
  if (count < 2n || firstMicros === undefined || lastMicros === undefined || firstMicros === lastMicros)
    return undefined;
  return Number(count) / (Number(lastMicros - firstMicros) / MICROS_PER_HOUR);
}
