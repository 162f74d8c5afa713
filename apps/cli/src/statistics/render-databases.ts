import type { PoolUsage, TableUsage } from "@kindred/contracts/common/v1";
import type { ServiceDatabase } from "@kindred/contracts/metrics/v1";
import { formatBytes, formatCount, plural } from "../terminal/format.ts";
import { renderTable } from "../terminal/table.ts";
import type { Terminal } from "../terminal/terminal.ts";

/** Unless all are asked for: so many of a service, largest first. */
const SHOWN_TABLES = 5;

/** A line for each service's connections, and one for each of its tables, largest first; empty without services. */
export function renderDatabases(
  terminal: Pick<Terminal, "colors" | "width">,
  databases: readonly ServiceDatabase[],
  { all }: { all: boolean },
): string {
  if (databases.length === 0) return "";
  const pools = renderTable(
    terminal,
    [
      { title: "service" },
      { title: "schema" },
      { title: "tables", align: "right" },
      { title: "size", align: "right" },
      { title: "connections", shrinks: true },
      { title: "PostgreSQL" },
    ],
    databases.map(({ service, usage }) => {
      const tables = usage?.tables ?? [];
      const size = tables.reduce((sum, table) => sum + sizeOf(table), 0n);
      return [
        service,
        usage?.schema ?? "",
        formatCount(tables.length),
        formatBytes(size),
        poolText(usage?.pool),
        usage?.serverVersion ?? "",
      ];
    }),
  );
  const rows = databases.flatMap(({ service, usage }) => tableRows(service, usage?.tables ?? [], all));
  const tables = renderTable(
    terminal,
    [
      { title: "service" },
      { title: "table", shrinks: true },
      { title: "rows", align: "right" },
      { title: "table size", align: "right" },
      { title: "index size", align: "right" },
      { title: "partitions", align: "right" },
    ],
    rows,
  );
  return `${pools}\n\n${tables}`;
}

function tableRows(service: string, tables: readonly TableUsage[], all: boolean): string[][] {
  const largest = tables.toSorted((a, b) => (sizeOf(a) > sizeOf(b) ? -1 : sizeOf(a) < sizeOf(b) ? 1 : 0));
  const shown = all ? largest : largest.slice(0, SHOWN_TABLES);
  const rest = largest.slice(shown.length);
  const rows = shown.map((table) => [
    service,
    table.name,
    // An estimate of the database's, which a count would look like.
    table.estimatedRows === undefined ? "unknown" : `~${formatCount(table.estimatedRows)}`,
    formatBytes(table.tableBytes),
    formatBytes(table.indexBytes),
    table.partitions === 0 ? "" : formatCount(table.partitions),
  ]);
  if (rest.length === 0) return rows;
  const sum = (of: (table: TableUsage) => bigint): bigint =>
    rest.reduce((total, table) => total + of(table), 0n);
  return [
    ...rows,
    [
      service,
      `${plural(rest.length, "smaller one")}`,
      "",
      formatBytes(sum((table) => table.tableBytes)),
      formatBytes(sum((table) => table.indexBytes)),
      "",
    ],
  ];
}

const sizeOf = ({ tableBytes, indexBytes }: TableUsage): bigint => tableBytes + indexBytes;

/** "2 in use, 1 idle of 15; 3 wait" */
function poolText(pool: PoolUsage | undefined): string {
  if (!pool) return "unknown";
  const { total, idle, waiting, max } = pool;
  const waits = waiting === 0 ? "" : `; ${formatCount(waiting)} ${waiting === 1 ? "waits" : "wait"}`;
  return `${formatCount(total - idle)} in use, ${formatCount(idle)} idle of ${formatCount(max)}${waits}`;
}
