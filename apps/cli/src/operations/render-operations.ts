import { timestampDate, type Timestamp } from "@bufbuild/protobuf/wkt";
import { OperationState, type Operation } from "@kindred/contracts/common/v1";
import { formatAgo, formatMs, plural } from "../terminal/format.ts";
import { renderPairs, renderTableOrBlocks, type Pair } from "../terminal/table.ts";
import type { Terminal } from "../terminal/terminal.ts";
import { idTextOf, kindOf, subjectOf } from "./any-operation.ts";
import { elapsedMs, isOver, pairsOf, phaseOf, progressOf, shareOf, stateOf } from "./describe-operation.ts";

/** One a line. */
export function renderOperations(
  terminal: Pick<Terminal, "colors" | "width">,
  operations: readonly Operation[],
  now: Date,
): string {
  return renderTableOrBlocks(
    terminal,
    [
      { title: "id", align: "right" },
      { title: "what" },
      { title: "of" },
      { title: "state" },
      { title: "at", shrinks: true },
      { title: "asked for", align: "right" },
      { title: "took", align: "right" },
    ],
    operations.map((operation) => {
      const took = elapsedMs(operation, now);
      return [
        idTextOf(operation),
        `${kindOf(operation)}${operation.automatic ? " (automatic)" : ""}`,
        subjectOf(operation),
        stateOf(operation),
        isOver(operation) ? (operation.failure?.message ?? "") : atOf(operation),
        operation.createdAt ? formatAgo(timestampDate(operation.createdAt), now) : "",
        took === undefined ? "" : formatMs(took),
      ];
    }),
  );
}

function atOf(operation: Operation): string {
  const share = shareOf(operation);
  return [phaseOf(operation), share === undefined ? "" : `${Math.floor(100 * share)} %`]
    .filter((part) => part !== "")
    .join(", ");
}

/** Everything that there is to say of one. */
export function renderOperation(
  terminal: Pick<Terminal, "colors" | "width">,
  operation: Operation,
  now: Date,
): string {
  const { colors } = terminal;
  const { subject, state, failure, attempts, notes, automatic, spec, result } = operation;
  const paint = { [OperationState.FAILED]: colors.red, [OperationState.SUCCEEDED]: colors.green }[
    state as number
  ];
  const took = elapsedMs(operation, now);
  const pairs: Pair[] = [
    ["operation", idTextOf(operation)],
    ["what", `${kindOf(operation)}${automatic ? ", begun by the service itself" : ""}`],
    ...(subject.case ? [[subject.case, subject.value] as const] : []),
    paint ? ["state", stateOf(operation), paint] : ["state", stateOf(operation)],
    ...(isOver(operation) || operation.phase === ""
      ? []
      : [["at", [phaseOf(operation), ...progressOf(operation)].join(", ")] as const]),
    ...(failure ? [["failure", failure.message, colors.red] as const] : []),
    ["asked for", timeText(operation.createdAt)],
    ...(operation.startedAt ? [["begun", timeText(operation.startedAt)] as const] : []),
    ...(operation.finishedAt ? [["ended", timeText(operation.finishedAt)] as const] : []),
    ...(took === undefined ? [] : [["took", formatMs(took)] as const]),
    ...(attempts > 1
      ? [["begun again", `${plural(attempts - 1, "time")}: its process ended before it did`] as const]
      : []),
  ];
  return [
    renderPairs(terminal, pairs),
    ...section(terminal, "asked for", pairsOf(spec)),
    ...section(terminal, "result", pairsOf(result)),
    ...(notes.length > 0 ? [` ${colors.bold("notes")}\n${notes.map(noteLine).join("\n")}`] : []),
  ].join("\n\n");
}

/** What came of an operation, in pairs; nothing where it says nothing. */
export function renderResult(
  terminal: Pick<Terminal, "colors" | "width">,
  operation: Operation,
): string | undefined {
  const pairs = pairsOf(operation.result);
  return pairs.length === 0 ? undefined : renderPairs(terminal, pairs);
}

function section(
  terminal: Pick<Terminal, "colors" | "width">,
  title: string,
  pairs: readonly [string, string][],
): string[] {
  if (pairs.length === 0) return [];
  const { colors, width } = terminal;
  const lines = renderPairs({ colors, width: width === undefined ? undefined : width - 2 }, pairs)
    .split("\n")
    .map((line) => `  ${line}`);
  return [[` ${terminal.colors.bold(title)}`, ...lines].join("\n")];
}

function noteLine(note: string): string {
  return `   ${note.replace(/\s+/g, " ").replace(/\p{Cc}/gu, "")}`;
}

function timeText(time: Timestamp | undefined): string {
  return time ? timestampDate(time).toLocaleString("sv-SE") : "";
}
