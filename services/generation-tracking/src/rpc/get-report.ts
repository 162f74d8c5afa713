import { create } from "@bufbuild/protobuf";
import type { HandlerContext } from "@connectrpc/connect";
import {
  DistributionSchema,
  GenerationSummarySchema,
  GetReportResponseSchema,
  ReportInterval as IntervalMessage,
  type Distribution as DistributionMessage,
  type GenerationSummary as SummaryMessage,
  type GetReportRequest,
} from "@kindred/contracts/generation-tracking/v1";
import { startChecks, timestampOf, type FieldChecks } from "@kindred/rpc";
import type { GenerationLists } from "../domain/generation-lists.ts";
import {
  failureRate,
  perHour,
  type Distribution,
  type GenerationSummary,
  type ReportInterval,
} from "../domain/report.ts";
import { readGenerationFilter } from "./generation-filter.ts";
import { limitsOf } from "./limits.ts";
import { toProtoStatus } from "./messages.ts";

const DEFAULT_MODELS = 50;
const MAX_MODELS = 1_000;

const INTERVALS: ReadonlyMap<IntervalMessage, ReportInterval | undefined> = new Map([
  [IntervalMessage.UNSPECIFIED, undefined],
  [IntervalMessage.HOUR, "hour"],
  [IntervalMessage.DAY, "day"],
]);

export function getReportRpc(deps: { lists: Pick<GenerationLists, "report"> }) {
  return async (request: GetReportRequest, context: HandlerContext) => {
    const checks = startChecks();
    const filter = readGenerationFilter(request.filter, "filter", checks);
    if (!INTERVALS.has(request.interval))
      checks.add("interval", `must be a known ReportInterval, is ${request.interval}`);
    checkTimeZone(request.timeZone, checks);
    const models = checks.count("models", request.models, { max: MAX_MODELS, zero: DEFAULT_MODELS });
    checks.throwIfAny();
    const report = await deps.lists.report(
      { filter, interval: INTERVALS.get(request.interval), timeZone: request.timeZone || "UTC", models },
      limitsOf(context)(),
    );
    return create(GetReportResponseSchema, {
      all: toSummary(report.all),
      last24Hours: toSummary(report.last24Hours),
      spans: report.spans.map(({ startMicros, summary }) => ({
        start: timestampOf(startMicros),
        summary: toSummary(summary),
      })),
      byModel: report.byModel.map(({ modelName, summary }) => ({ modelName, summary: toSummary(summary) })),
      asOf: timestampOf(report.asOfMicros),
    });
  };
}

/** PostgreSQL takes much for a zone, "+02:00" for one two hours west of Greenwich: only names are taken here. */
function checkTimeZone(timeZone: string, checks: FieldChecks): void {
  if (timeZone === "") return;
  if (!/^[A-Za-z][A-Za-z0-9_+-]*(\/[A-Za-z0-9_+-]+)*$/.test(timeZone) || !isKnown(timeZone))
    checks.add("time_zone", 'must be the name of a time zone such as "Europe/Berlin", or empty for UTC');
}

function isKnown(timeZone: string): boolean {
  try {
    return new Intl.DateTimeFormat("en", { timeZone }).resolvedOptions().timeZone !== "";
  } catch {
    return false;
  }
}

function toSummary(summary: GenerationSummary): SummaryMessage {
  const rate = failureRate(summary);
  const throughput = perHour(summary);
  return create(GenerationSummarySchema, {
    count: summary.count,
    byStatus: summary.byStatus.map(({ status, count }) => ({ status: toProtoStatus(status), count })),
    generationTimeMs: toDistribution(summary.generationTimeMs),
    memoryUsageMb: toDistribution(summary.memoryUsageMb),
    ...(rate !== undefined && { failureRate: rate }),
    ...(throughput !== undefined && { perHour: throughput }),
  });
}

function toDistribution({ count, figures }: Distribution): DistributionMessage {
  return create(DistributionSchema, { count, ...figures });
}
