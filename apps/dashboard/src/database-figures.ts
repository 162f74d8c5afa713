import type { DatabaseUsage, TableUsage } from "@kindred/contracts/common/v1";
import type { ServiceDatabase } from "@kindred/contracts/metrics/v1";
import { bytesText, countText } from "./format.ts";

const sizeOf = ({ tableBytes, indexBytes }: TableUsage): bigint => tableBytes + indexBytes;

/** Largest first, indexes included. */
export function tablesOf(usage: DatabaseUsage | undefined): TableUsage[] {
  return (usage?.tables ?? []).toSorted((a, b) => Number(sizeOf(b) - sizeOf(a)));
}

/** "41.2 MiB in 24 tables of 3 services" */
export function databaseSummary(databases: readonly ServiceDatabase[]): string {
  const tables = databases.flatMap(({ usage }) => usage?.tables ?? []);
  const bytes = tables.reduce((sum, table) => sum + sizeOf(table), 0n);
  const plural = (count: number, noun: string): string =>
    `${countText(count)} ${noun}${count === 1 ? "" : "s"}`;
  return `${bytesText(bytes)} in ${plural(tables.length, "table")} of ${plural(databases.length, "service")}`;
}
