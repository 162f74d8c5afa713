import {
  PreflightOutcome,
  type IndexForecast,
  type PlanIndexResponse,
  type PreflightCheck,
} from "@kindred/contracts/vector-store/v1";
import { nameOf } from "../collections/collection-options.ts";
import { formatBytes, formatMs, millisecondsOf, plural } from "../terminal/format.ts";
import { oneLine, renderPairs, renderTableOrBlocks, type Pair } from "../terminal/table.ts";
import type { Terminal } from "../terminal/terminal.ts";
import { METRICS } from "../vectors/search-request.ts";
import { createCommand, kindText, parametersText } from "./index-options.ts";

/**
 * What would be built and why, what else could be had, what a build would find, and the command for it.
 * @param planned rows that it was asked for; undefined: as many as there are, which is an estimate
 */
export function renderPlan(
  terminal: Terminal,
  collection: string,
  plan: PlanIndexResponse,
  planned?: number,
): string {
  const { colors } = terminal;
  const { chosen, alternatives, reasons, preflight, rows } = plan;
  const head: Pair[] = [
    ["collection", `${collection}, ${planned === undefined ? "~" : ""}${plural(rows, "row")}`],
    ...(chosen?.spec
      ? [
          ["index", indexText(chosen)] as const,
          ["size", `${formatBytes(chosen.sizeBytes)} on disk`] as const,
          ["memory", `${formatBytes(chosen.buildMemoryBytes)} while it is built`] as const,
          ["time", timeText(chosen)] as const,
        ]
      : [["index", "none: searches compare every row"] as const]),
  ];
  const why = [...reasons, ...(chosen?.reasons ?? [])];
  return [
    renderPairs(terminal, head),
    ...titled(
      terminal,
      "why",
      why.map((reason) => `   ${oneLine(reason)}`),
    ),
    ...(alternatives.length > 0
      ? [` ${colors.bold("other ways")}\n${renderAlternatives(terminal, alternatives)}`]
      : []),
    ...titled(
      terminal,
      "what a build would find",
      preflight.map((check) => checkLine(terminal, check)),
    ),
    ...(chosen?.spec ? [` ${createCommand(collection, chosen.spec)}`] : []),
  ].join("\n\n");
}

function titled({ colors }: Terminal, title: string, lines: readonly string[]): string[] {
  return lines.length === 0 ? [] : [[` ${colors.bold(title)}`, ...lines].join("\n")];
}

function indexText({ spec }: IndexForecast): string {
  if (!spec) return "";
  return [kindText(spec), parametersText(spec), nameOf(METRICS, spec.metric)]
    .filter((part) => part !== "")
    .join(", ");
}

function timeText({ buildTime, calibrated }: IndexForecast): string {
  const time = buildTime ? `about ${formatMs(millisecondsOf(buildTime))}` : "not known";
  return `${time}, ${calibrated ? "as measured here" : "by a rule of thumb: --calibrate measures a sample"}`;
}

function renderAlternatives(terminal: Terminal, alternatives: readonly IndexForecast[]): string {
  return renderTableOrBlocks(
    terminal,
    [
      { title: "kind" },
      { title: "parameters" },
      { title: "size", align: "right" },
      { title: "memory", align: "right" },
      { title: "time", align: "right" },
      { title: "for and against", shrinks: true },
    ],
    alternatives.map(({ spec, sizeBytes, buildMemoryBytes, buildTime, reasons }) => [
      spec ? kindText(spec) : "",
      spec ? parametersText(spec) : "",
      formatBytes(sizeBytes),
      formatBytes(buildMemoryBytes),
      buildTime ? formatMs(millisecondsOf(buildTime)) : "",
      reasons.join("; "),
    ]),
  );
}

const MARKS: Record<PreflightOutcome, string> = {
  [PreflightOutcome.UNSPECIFIED]: "?",
  [PreflightOutcome.PASSED]: "✔",
  [PreflightOutcome.WARNING]: "!",
  [PreflightOutcome.FAILED]: "✘",
  [PreflightOutcome.UNKNOWN]: "?",
};

function checkLine({ colors }: Terminal, { name, outcome, message }: PreflightCheck): string {
  const paints: Partial<Record<PreflightOutcome, (text: string) => string>> = {
    [PreflightOutcome.PASSED]: colors.green,
    [PreflightOutcome.WARNING]: colors.yellow,
    [PreflightOutcome.FAILED]: colors.red,
  };
  const paint = paints[outcome] ?? colors.dim;
  return `   ${paint(MARKS[outcome] ?? "?")} ${oneLine(name).replaceAll("_", " ").padEnd(NAME_WIDTH)}  ${oneLine(message)}`;
}

/** Of the longest check, "maintenance work mem". */
const NAME_WIDTH = 20;
