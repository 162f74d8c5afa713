import { AdviceSeverity, type IndexAdvice, type VectorIndex } from "@kindred/contracts/vector-store/v1";
import { nameOf, QUANTIZATIONS } from "../collections/collection-options.ts";
import { formatBytes, formatCount, formatShare } from "../terminal/format.ts";
import { oneLine, renderTableOrBlocks, type Column } from "../terminal/table.ts";
import type { Terminal } from "../terminal/terminal.ts";
import { METRICS } from "../vectors/search-request.ts";

/** Where there is nothing to say. */
const NONE = "-";

/** @param showCollections whether they are of several */
export function renderIndexes(
  terminal: Pick<Terminal, "colors" | "width">,
  indexes: readonly VectorIndex[],
  showCollections = false,
): string {
  const columns: readonly Column[] = [
    ...(showCollections ? [{ title: "collection" }] : []),
    { title: "name" },
    { title: "kind" },
    { title: "metric" },
    { title: "parameters" },
    { title: "state" },
    { title: "size", align: "right" },
    { title: "rows at build", align: "right" },
    { title: "effort", align: "right" },
    { title: "recall", align: "right" },
  ];
  return renderTableOrBlocks(
    terminal,
    columns,
    indexes.map((index) => [
      ...(showCollections ? [index.collection] : []),
      index.name,
      indexKind(index),
      nameOf(METRICS, index.metric) || index.operatorClass,
      Object.entries(index.parameters)
        .map(([name, value]) => `${name}=${value}`)
        .join(" ") || NONE,
      indexState(index),
      formatBytes(index.sizeBytes),
      index.rowsAtBuild === 0n ? NONE : formatCount(index.rowsAtBuild),
      index.effort === 0 ? NONE : formatCount(index.effort),
      index.recall === 0 ? NONE : formatShare(index.recall),
    ]),
  );
}

function indexKind({ method, quantization }: VectorIndex): string {
  const held = nameOf(QUANTIZATIONS, quantization);
  return held === "none" || held === "auto" ? method : `${method} ${held}`.trimEnd();
}

function indexState({ valid, building }: VectorIndex): string {
  return building ? "building" : valid ? "valid" : "invalid";
}

const SEVERITIES: Record<AdviceSeverity, string> = {
  [AdviceSeverity.UNSPECIFIED]: "note",
  [AdviceSeverity.INFO]: "info",
  [AdviceSeverity.WARNING]: "warning",
  [AdviceSeverity.CRITICAL]: "critical",
};

/** The most urgent first, as they come; each remedy on a line of its own, so that it can be copied. */
export function renderAdvice({ colors }: Pick<Terminal, "colors">, advice: readonly IndexAdvice[]): string {
  const paints: Partial<Record<AdviceSeverity, (text: string) => string>> = {
    [AdviceSeverity.CRITICAL]: colors.red,
    [AdviceSeverity.WARNING]: colors.yellow,
  };
  return advice
    .map(({ collection, indexName, severity, rule, message, remedy, automatic }) => {
      const paint = paints[severity] ?? colors.dim;
      const about = [collection, indexName].filter((part) => part !== "").join(", ");
      return [
        ` ${paint(SEVERITIES[severity] ?? String(severity))} ${colors.bold(oneLine(about))} ${colors.dim(oneLine(rule))}`,
        `   ${oneLine(message)}`,
        ...(automatic ? [`   ${colors.dim("the store is going to do it by itself; or do it now:")}`] : []),
        ...(remedy === "" ? [] : [`   ${oneLine(remedy)}`]),
      ].join("\n");
    })
    .join("\n\n");
}
