import { timestampDate } from "@bufbuild/protobuf/wkt";
import type { RecallEvent, RecallMeasurement } from "@kindred/contracts/vector-store/v1";
import {
  formatAgo,
  formatCount,
  formatMs,
  formatPercent,
  formatShare,
  millisecondsOf,
} from "../terminal/format.ts";
import { renderPairs, renderTableOrBlocks, type Pair } from "../terminal/table.ts";
import type { Terminal } from "../terminal/terminal.ts";

export const EFFORT_HELP = `
recall@k is the share of the true k nearest that a search through the index finds; an exact search finds them all. Effort is how hard
the search looks: hnsw.ef_search, ivfflat.probes, diskann.query_search_list_size. More effort finds more, and takes longer.`;

/** One measurement, with what it means against the target. */
export function renderMeasurement(
  terminal: Pick<Terminal, "colors" | "width">,
  measured: RecallMeasurement,
): string {
  const { indexName, effort, queries, recentQueries, rows, indexTime, exactTime } = measured;
  const times = [
    ...(indexTime ? [`index ${formatMs(millisecondsOf(indexTime))}`] : []),
    ...(exactTime ? [`exact ${formatMs(millisecondsOf(exactTime))}`] : []),
  ];
  const pairs: Pair[] = [
    [`recall@${measured.k}`, `${formatShare(measured.recall)}, ${intervalText(measured)}`],
    ...verdictOf(terminal, measured),
    ["index", indexName],
    ["effort", formatCount(effort)],
    ["filter", filterText(measured.filterSelectivity)],
    ["queries", queriesText(queries, recentQueries)],
    ["median time", times.join(", ")],
    ["rows", `~${formatCount(rows)}`],
  ];
  return renderPairs(terminal, pairs);
}

function intervalText({ lower, upper, confidence }: RecallMeasurement): string {
  return `${formatShare(lower)} to ${formatShare(upper)} at ${formatPercent(confidence)} confidence`;
}

function verdictOf(
  { colors }: Pick<Terminal, "colors">,
  { collection, recallTarget, lower, upper, recall }: RecallMeasurement,
): Pair[] {
  if (recallTarget === 0) return [];
  const target = formatShare(recallTarget);
  if (lower >= recallTarget) return [["target", `${target}: met`, colors.green]];
  if (upper < recallTarget)
    return [
      ["target", `${target}: missed; find out what it takes: kindred recall tune ${collection}`, colors.red],
    ];
  const likely = recall >= recallTarget ? "met as far as so few queries tell" : "so few queries cannot tell";
  return [["target", `${target}: ${likely}; ask more with --queries`, colors.yellow]];
}

export function queriesText(queries: number, recent: number): string {
  const some =
    recent === 0 ? "stored vectors, moved a little" : `${formatCount(recent)} of them recent searches`;
  return `${formatCount(queries)}: ${recent >= queries ? "recent searches" : some}`;
}

export function filterText(selectivity: number): string {
  return selectivity >= 1 || selectivity === 0 ? "none" : `passes ${formatPercent(selectivity)} of the rows`;
}

/** The latest first. */
export function renderHistory(
  terminal: Pick<Terminal, "colors" | "width">,
  measurements: readonly RecallMeasurement[],
  now: Date,
): string {
  return renderTableOrBlocks(
    terminal,
    [
      { title: "measured", align: "right" },
      { title: "index", shrinks: true },
      { title: "k", align: "right" },
      { title: "filter", align: "right" },
      { title: "effort", align: "right" },
      { title: "recall", align: "right" },
      { title: "interval" },
      { title: "target" },
      { title: "queries", align: "right" },
      { title: "index time", align: "right" },
      { title: "exact time", align: "right" },
    ],
    measurements.map((each) => [
      each.measuredAt ? formatAgo(timestampDate(each.measuredAt), now) : "",
      each.indexName,
      String(each.k),
      each.filterSelectivity >= 1 || each.filterSelectivity === 0
        ? "none"
        : formatPercent(each.filterSelectivity),
      formatCount(each.effort),
      formatShare(each.recall),
      `${formatShare(each.lower)} to ${formatShare(each.upper)}`,
      each.recallTarget === 0
        ? ""
        : `${formatShare(each.recallTarget)} ${each.upper < each.recallTarget ? "missed" : "met"}`,
      formatCount(each.queries),
      each.indexTime ? formatMs(millisecondsOf(each.indexTime)) : "",
      each.exactTime ? formatMs(millisecondsOf(each.exactTime)) : "",
    ]),
  );
}

/** The latest first. */
export function renderEvents(
  terminal: Pick<Terminal, "colors" | "width">,
  events: readonly RecallEvent[],
  now: Date,
): string {
  const { colors } = terminal;
  return events
    .flatMap(({ collection, indexName, met, recallTarget, measurement, createdAt }) => {
      const when = createdAt ? formatAgo(timestampDate(createdAt), now) : "";
      const what = met
        ? `recall meets its target ${formatShare(recallTarget)} again`
        : `recall is below its target ${formatShare(recallTarget)}`;
      const how = measurement
        ? `: ${formatShare(measurement.recall)} (${intervalText(measurement)}), ${formatCount(measurement.queries)} queries`
        : "";
      const pair: Pair = [
        when,
        `${collection}, ${indexName}: ${what}${how}`,
        met ? colors.green : colors.red,
      ];
      return renderPairs(terminal, [pair]);
    })
    .join("\n");
}
