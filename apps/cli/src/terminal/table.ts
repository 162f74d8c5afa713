import { stripVTControlCharacters } from "node:util";
import Table from "cli-table3";
import stringWidth from "string-width";
import type { Terminal } from "./terminal.ts";

export interface Column {
  title: string;
  align?: "left" | "right";
  /** Gives way first when the table is wider than the terminal; one column at most. */
  shrinks?: boolean;
}

const GAP = "  ";
const NARROWEST = 12;

/** Columns under underlined titles, without a frame: readable for people, and for `awk` as well. */
export function renderTable(
  terminal: Pick<Terminal, "colors" | "width">,
  columns: readonly Column[],
  rows: readonly (readonly string[])[],
): string {
  const { colors, width } = terminal;
  // Texts come from other people: no control character of theirs reaches the terminal.
  let cells = rows.map((row) => row.map(oneLine));
  const shrinking = columns.findIndex((column) => column.shrinks);
  if (width !== undefined && shrinking >= 0) {
    const widths = columns.map((column, i) =>
      Math.max(column.title.length, ...cells.map((row) => stringWidth(row[i] ?? ""))),
    );
    const others = widths.reduce((sum, w, i) => (i === shrinking ? sum : sum + w + GAP.length), 1);
    const room = Math.max(width - others - 1, NARROWEST);
    cells = cells.map((row) => row.with(shrinking, shorten(row[shrinking] ?? "", room)));
  }
  const table = new Table({
    head: columns.map((column) => colors.bold(column.title)),
    colAligns: columns.map((column) => column.align ?? "left"),
    style: { head: [], border: [], "padding-left": 0, "padding-right": 0 },
    chars: {
      top: "",
      "top-mid": "",
      "top-left": "",
      "top-right": "",
      bottom: "",
      "bottom-mid": "",
      "bottom-left": "",
      "bottom-right": "",
      left: "",
      "left-mid": "",
      mid: "",
      "mid-mid": "",
      right: "",
      "right-mid": "",
      middle: GAP,
    },
  });
  table.push(...cells);
  return table
    .toString()
    .split("\n")
    .map((line) => ` ${line.trimEnd()}`)
    .join("\n");
}

/** A table, or a block for each row where the terminal is too narrow for it. */
export function renderTableOrBlocks(
  terminal: Pick<Terminal, "colors" | "width">,
  columns: readonly Column[],
  rows: readonly (readonly string[])[],
): string {
  const { width } = terminal;
  const table = renderTable(terminal, columns, rows);
  const fits = width === undefined || table.split("\n").every((line) => stringWidth(line) <= width);
  return fits
    ? table
    : rows
        .map((row) =>
          renderPairs(
            terminal,
            columns.map(({ title }, i): Pair => [title, row[i] ?? ""]),
          ),
        )
        .join("\n\n");
}

/** A name, its value, and how the value is coloured. */
export type Pair = readonly [name: string, value: string, paint?: (text: string) => string];

/** Names and values, one a line; in a terminal a value that is too long goes on below itself. */
export function renderPairs(terminal: Pick<Terminal, "colors" | "width">, pairs: readonly Pair[]): string {
  const width = Math.max(...pairs.map(([name]) => name.length));
  const indent = 1 + width + GAP.length;
  const room = Math.max((terminal.width ?? Infinity) - indent, NARROWEST);
  return pairs
    .map(([name, value, paint = (text) => text]) => {
      const lines = wrap(oneLine(value), room).map(paint);
      return ` ${terminal.colors.bold(name.padEnd(width))}${GAP}${lines.join(`\n${" ".repeat(indent)}`)}`;
    })
    .join("\n");
}

/** A text on one line; no control character of somebody else's reaches the terminal. */
export function oneLine(text: string): string {
  return stripVTControlCharacters(text)
    .replace(/\s+/g, " ")
    .replace(/\p{Cc}/gu, "");
}

/** The lines of a text, none of them for an empty one; no control character of somebody else's reaches the terminal. */
export function severalLines(text: string): string[] {
  if (text === "") return [];
  return stripVTControlCharacters(text)
    .trimEnd()
    .split(/\r?\n/)
    .map((line) => line.replaceAll("\t", "  ").replace(/\p{Cc}/gu, ""));
}

const CHARACTERS = new Intl.Segmenter();

/** To so many columns of a terminal: characters as people count them stay whole, and some take two columns. */
export function shorten(text: string, columns: number): string {
  if (stringWidth(text) <= columns) return text;
  let [shown, room] = ["", columns - 1];
  for (const { segment } of CHARACTERS.segment(text)) {
    room -= stringWidth(segment);
    if (room < 0) break;
    shown += segment;
  }
  return `${shown}…`;
}

/** In lines of so many columns, at words; a word that is longer than a line is cut between characters. One empty line for an empty text. */
function wrap(text: string, columns: number): string[] {
  if (stringWidth(text) <= columns) return [text];
  const lines: string[] = [];
  let line = "";
  let taken = 0;
  const put = (part: string, width: number): void => {
    line += part;
    taken += width;
  };
  const end = (): void => {
    lines.push(line.trimEnd());
    [line, taken] = ["", 0];
  };
  for (const [word] of text.matchAll(/\S+|\s+/g)) {
    const width = stringWidth(word);
    if (taken > 0 && taken + width > columns) end();
    if (taken === 0 && word.trim() === "") continue;
    if (width <= columns) put(word, width);
    else {
      for (const { segment } of CHARACTERS.segment(word)) {
        const each = stringWidth(segment);
        if (taken > 0 && taken + each > columns) end();
        put(segment, each);
      }
    }
  }
  if (taken > 0) end();
  return lines;
}
