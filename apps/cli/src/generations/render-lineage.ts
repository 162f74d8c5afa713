import type { Generation, GetLineageResponse } from "@kindred/contracts/generation-tracking/v1";
import { formatShare, plural } from "../terminal/format.ts";
import { oneLine, renderTable } from "../terminal/table.ts";
import type { Terminal } from "../terminal/terminal.ts";
import { renderGenerations } from "./render-generation.ts";

/** The tree that it stands in, from the first ancestor on, then what it was made from and with. */
export function renderLineage(terminal: Terminal, reply: GetLineageResponse): string {
  const { generation, ancestors, descendants, batch } = reply;
  if (!generation) return "";
  const { bold } = terminal.colors;
  const { retrievedExamples, outputs, batchId } = generation;
  const sections = [
    renderTree(terminal, generation, ancestors, descendants),
    retrievedExamples.length > 0 &&
      `${bold(` made from ${plural(retrievedExamples.length, "example")}`)}${renderRetrieval(terminal, generation)}\n${renderExamples(terminal, generation)}`,
    outputs.length > 0 && [bold(" files"), ...outputs.map(({ path }) => `   ${oneLine(path)}`)].join("\n"),
    batch.length > 0 &&
      `${bold(` others of batch ${oneLine(batchId)}`)}\n${renderGenerations(terminal, batch)}`,
  ];
  return sections.filter((section) => section !== false).join("\n\n");
}

function renderTree(
  terminal: Terminal,
  generation: Generation,
  ancestors: readonly Generation[],
  descendants: readonly Generation[],
): string {
  const children = Map.groupBy(descendants, ({ parentId }) => parentId);
  const lines: string[] = [];
  const draw = (each: Generation, before: string, behind: string): void => {
    lines.push(`${before}${nameOf(terminal, each, each.id === generation.id)}`);
    const below = children.get(each.id) ?? [];
    // Each is drawn once, also where rows of users' own lead back to themselves.
    children.delete(each.id);
    below.forEach((child, i) => {
      const last = i === below.length - 1;
      draw(child, `${behind}${last ? "└─ " : "├─ "}`, `${behind}${last ? "   " : "│  "}`);
    });
  };
  const line = ancestors.toReversed();
  line.forEach((each, i) => {
    lines.push(` ${i === 0 ? "" : `${"   ".repeat(i - 1)}└─ `}${nameOf(terminal, each, false)}`);
  });
  const depth = line.length;
  draw(generation, ` ${depth === 0 ? "" : `${"   ".repeat(depth - 1)}└─ `}`, ` ${"   ".repeat(depth)}`);
  return lines.join("\n");
}

function nameOf({ colors }: Terminal, { id, prompt }: Generation, itself: boolean): string {
  const name = `${id}  ${oneLine(prompt)}`;
  return itself ? `${colors.bold(name)} ${colors.dim("◄")}` : name;
}

function renderRetrieval({ colors }: Terminal, { retrieval, prompt }: Generation): string {
  if (!retrieval) return "";
  const { k, threshold, method, indexName, efSearch, probes } = retrieval;
  const facts = [
    `for ${JSON.stringify(oneLine(retrieval.query || prompt))}`,
    k > 0 && `k ${k}`,
    threshold !== undefined && `similarity at least ${formatShare(threshold)}`,
    method && [method, indexName].filter(Boolean).map(oneLine).join(" by "),
    efSearch > 0 && `ef ${efSearch}`,
    probes > 0 && `probes ${probes}`,
  ];
  return ` ${colors.dim(facts.filter(Boolean).join(", "))}`;
}

function renderExamples(terminal: Terminal, { retrievedExamples }: Generation): string {
  return renderTable(
    terminal,
    [
      { title: "#", align: "right" },
      { title: "similarity", align: "right" },
      { title: "image" },
      { title: "caption then", shrinks: true },
    ],
    retrievedExamples.map(({ rank, similarity, imagePath, caption }) => [
      String(rank),
      similarity.toFixed(4),
      imagePath,
      caption,
    ]),
  );
}
