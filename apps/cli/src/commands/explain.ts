import { ExplainResponseSchema, type ExplainResponse } from "@kindred/contracts/vector-store/v1";
import { openClients } from "../clients.ts";
import type { Context } from "../context.ts";
import { toPlain } from "../plain.ts";
import { renderPairs, severalLines } from "../terminal/table.ts";
import type { Terminal } from "../terminal/terminal.ts";
import { describePlan } from "../vectors/render-search.ts";
import {
  addSearchOptions,
  QUERY_HELP,
  readSearchRequest,
  type SearchOptions,
} from "../vectors/search-request.ts";
import type { AddCommand } from "./command.ts";

interface ExplainOptions extends SearchOptions {
  analyze?: boolean;
}

const EXAMPLES = `
Examples:
  kindred explain "a cat playing"
  kindred explain "a slow song" -c songs --where 'year >= 1990' --analyze
  kindred explain --key 4711 -c songs --json | jq -r .sql`;

export const addExplainCommand: AddCommand = (program, run) => {
  addSearchOptions(program.command("explain [query]"))
    .description("how a search would be answered: why, by which statement, and by which plan of PostgreSQL")
    .option("--analyze", "run it, and say how long each step took and how many rows there were")
    .addHelpText("after", `${QUERY_HELP}\n${EXAMPLES}`)
    .action((query: string | undefined, options: ExplainOptions, command) =>
      run(command, (context) => explainSearch(context, query, options)),
    );
};

async function explainSearch(
  context: Context,
  query: string | undefined,
  options: ExplainOptions,
): Promise<void> {
  const { terminal } = context;
  const search = await readSearchRequest(query, options);
  const reply = await openClients(context).search.explain({ search, analyze: options.analyze ?? false });
  if (context.json) terminal.json(toPlain(ExplainResponseSchema, reply));
  else terminal.result(renderExplained(terminal, reply));
}

/** Why first, then what is run, as it could be run by hand. */
export function renderExplained(terminal: Terminal, reply: ExplainResponse): string {
  const { plan, settings, sql, parameters, postgresPlan, reasons } = reply;
  const { colors } = terminal;
  const section = (title: string, lines: readonly string[]): string[] =>
    lines.length === 0 ? [] : [[` ${colors.bold(title)}`, ...lines.map((line) => `   ${line}`)].join("\n")];
  const head = renderPairs(terminal, [
    ["answered", plan ? describePlan(plan).join(" · ") : ""],
    ...(plan?.spaceId ? [["space", plan.spaceId] as const] : []),
  ]);
  return [
    head,
    ...section("why", reasons.flatMap(severalLines)),
    ...section(
      "settings",
      Object.entries(settings)
        .toSorted(([one], [other]) => (one < other ? -1 : 1))
        .flatMap(([name, value]) => severalLines(`${name} = ${value}`)),
    ),
    ...section("statement", withoutIndent(severalLines(sql))),
    ...section(
      "parameters",
      parameters.flatMap((value, i) => severalLines(`$${i + 1} = ${value}`)),
    ),
    ...section("PostgreSQL's plan", severalLines(shortenVectors(postgresPlan))),
  ].join("\n\n");
}

/** As a statement stands in code: below each other as it was, but at the margin. */
function withoutIndent(lines: readonly string[]): string[] {
  const text = lines.slice(
    Math.max(
      0,
      lines.findIndex((line) => line.trim() !== ""),
    ),
  );
  const indent = Math.min(...text.filter((line) => line.trim() !== "").map((line) => line.search(/\S/)));
  return text.map((line) => line.slice(Number.isFinite(indent) ? indent : 0));
}

const SHOWN_NUMBERS = 2;

/** PostgreSQL repeats the query's vector in each step of a plan, hundreds of numbers or bits long; --json has them all. */
function shortenVectors(plan: string): string {
  return plan
    .replace(/'\[([-+\d.e,]+)\]'/g, (vector, list: string) => {
      const numbers = list.split(",");
      if (numbers.length <= 2 * SHOWN_NUMBERS) return vector;
      return `'[${numbers.slice(0, SHOWN_NUMBERS).join(",")},… ${numbers.length}]'`;
    })
    .replace(
      /(B?)'([01]{33,})'/g,
      (_, prefix: string, bits: string) => `${prefix}'${bits.slice(0, 8)}… ${bits.length}'`,
    );
}
