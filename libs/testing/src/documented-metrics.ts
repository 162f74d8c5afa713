import { readFileSync } from "node:fs";
import { repositoryPath } from "@kindred/process";

/** A metric as docs/metrics.md describes it. */
export interface DocumentedMetric {
  name: string;
  type: string;
  /** Without `component`, which every series has. */
  labels: string[];
  /** The services that show it; "all" in the page is each of these. */
  shownBy: string[];
  /** Shown only with some setting. */
  conditional: boolean;
}

const SERVICES = ["embedding", "vector-store", "generation-tracking", "metrics"];
const COLUMNS = "| metric | type | labels | shown by | what it is |";

/** @throws Error at a row that cannot be read, or a name that is there twice. */
export function documentedMetrics(): DocumentedMetric[] {
  const rows = readFileSync(repositoryPath("docs/metrics.md"), "utf8")
    .split("\n")
    .filter((line) => line.startsWith("|") && !/^\|[\s|-]+\|$/.test(line))
    .map((line) => line.replace(/\s+/g, " ").trim())
    .filter((line) => line !== COLUMNS);
  const found = rows.map(readRow);
  const twice = found.find(({ name }, i) => found.findIndex((other) => other.name === name) !== i);
  if (twice) throw new Error(`docs/metrics.md has ${twice.name} twice`);
  return found;
}

function readRow(line: string): DocumentedMetric {
  const [metric = "", type = "", labels = "", shownBy = "", meaning = "", ...rest] = line
    .slice(1, -1)
    .split("|")
    .map((cell) => cell.trim());
  const name = /^`([a-z][a-z0-9_]*)`$/.exec(metric)?.[1];
  if (name === undefined || meaning === "" || rest.length > 0 || !/^(counter|gauge|histogram)$/.test(type)) {
    throw new Error(`docs/metrics.md has a row that is no metric: ${line}`);
  }
  const [where = "", condition] = shownBy.split(" with ");
  const services = where === "all" ? SERVICES : where.split(", ");
  const unknown = services.find((service) => !SERVICES.includes(service));
  if (unknown !== undefined)
    throw new Error(`docs/metrics.md: ${name} is shown by ${unknown}, which is no service`);
  return {
    name,
    type,
    labels: [...labels.matchAll(/`([a-z_]+)`/g)].map((match) => match[1] as string),
    shownBy: services,
    conditional: condition !== undefined,
  };
}
