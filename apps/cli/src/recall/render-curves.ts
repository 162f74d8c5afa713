import { timestampDate } from "@bufbuild/protobuf/wkt";
import type { RecallCurve, RecallPoint } from "@kindred/contracts/vector-store/v1";
import {
  formatAgo,
  formatCount,
  formatMs,
  formatPercent,
  formatShare,
  millisecondsOf,
} from "../terminal/format.ts";
import { renderTable, renderTableOrBlocks } from "../terminal/table.ts";
import type { Terminal } from "../terminal/terminal.ts";
import { plotCurve } from "./plot-curve.ts";
import { filterText, queriesText } from "./render-recall.ts";

/** What searches for a target take: the least effort whose recall is at least so much for (nearly) sure; undefined where none is. */
export function pointFor({ points }: RecallCurve, target: number): RecallPoint | undefined {
  return points.find(({ lower }) => lower >= target);
}

/**
 * Of each curve that is to be shown a plot and its points; then in a table what every curve says of the target.
 * @param shown which of all curves
 */
export function renderCurves(
  terminal: Terminal,
  curves: readonly RecallCurve[],
  shown: (curve: RecallCurve) => boolean,
  { target, now }: { target: number; now: Date },
): string {
  const { colors } = terminal;
  const others =
    curves.length > 1
      ? [
          `${colors.bold(` effort for recall ${formatShare(target)}`)}\n${renderTargets(terminal, curves, target)}`,
        ]
      : [];
  return [
    ...curves.filter(shown).map((curve) => renderCurve(terminal, curve, { target, now })),
    ...others,
  ].join("\n\n");
}

function renderCurve(
  terminal: Terminal,
  curve: RecallCurve,
  { target, now }: { target: number; now: Date },
): string {
  const { colors } = terminal;
  const { indexName, k, filterSelectivity, queries, recentQueries, points, exactTime, tunedAt } = curve;
  const filter = filterSelectivity < 1 ? `, filter ${filterText(filterSelectivity)}` : "";
  const when = tunedAt ? ` · tuned ${formatAgo(timestampDate(tunedAt), now)}` : "";
  const exact = exactTime ? ` · exact searches take ${formatMs(millisecondsOf(exactTime))}` : "";
  const chosen = pointFor(curve, target);
  const table = renderTable(
    terminal,
    [
      { title: "effort", align: "right" },
      { title: "recall", align: "right" },
      { title: "at least", align: "right" },
      { title: "time", align: "right" },
      { title: "" },
    ],
    points.map((point) => [
      formatCount(point.effort),
      formatShare(point.recall),
      formatShare(point.lower),
      point.time ? formatMs(millisecondsOf(point.time)) : "",
      point === chosen ? `◄ meets ${formatShare(target)}` : "",
    ]),
  );
  const verdict = chosen ? [] : [` ${colors.yellow(missedText(curve, target))}`];
  return [
    ` ${colors.bold(`recall@${k}`)} of ${indexName}${filter}`,
    ` ${colors.dim(`queries: ${queriesText(queries, recentQueries)}${exact}${when}`)}`,
    "",
    ...plotCurve(points, target).map((line) => ` ${line}`),
    "",
    table,
    ...verdict,
  ].join("\n");
}

/** Why no effort is known to meet the target, and what to do: more queries tell more surely, a finer index finds more. */
function missedText({ points }: RecallCurve, target: number): string {
  return points.some(({ recall }) => recall >= target)
    ? `so few queries cannot tell for sure what meets ${formatShare(target)}: kindred recall tune with more --queries`
    : `no effort meets ${formatShare(target)}: build a finer index, e.g. kindred index create with a larger --m`;
}

function renderTargets(terminal: Terminal, curves: readonly RecallCurve[], target: number): string {
  return renderTableOrBlocks(
    terminal,
    [
      { title: "index", shrinks: true },
      { title: "k", align: "right" },
      { title: "filter passes", align: "right" },
      { title: "effort", align: "right" },
      { title: "recall", align: "right" },
      { title: "time", align: "right" },
    ],
    curves.map((curve) => {
      const point = pointFor(curve, target);
      const best = point ?? curve.points.at(-1);
      return [
        curve.indexName,
        String(curve.k),
        curve.filterSelectivity >= 1 ? "all rows" : formatPercent(curve.filterSelectivity),
        point ? formatCount(point.effort) : "not met",
        best ? formatShare(best.recall) : "",
        best?.time ? formatMs(millisecondsOf(best.time)) : "",
      ];
    }),
  );
}
