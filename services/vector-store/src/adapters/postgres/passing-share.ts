import { createHash } from "node:crypto";
import { sqlStateOf, type Database } from "@kindred/postgres";
import type { Collection } from "../../domain/collection.ts";
import type { Filter } from "../../domain/filter.ts";
import type { CallLimits } from "../../domain/ports.ts";
import { filterCondition } from "./filter-condition.ts";
import { bytesPerVector, estimateRows } from "./row-estimate.ts";
import { startStatement, tableSql, type Statement } from "./sql.ts";

/** How selective a filter is changes slowly, and a wrong guess costs time only. */
const FRESH_MS = 10_000;
const MAX_KEPT = 1000;

/** What was found out about filters some seconds ago. */
export function briefMemory<T>(): { get(key: string): T | undefined; set(key: string, value: T): void } {
  const kept = new Map<string, { value: T; at: number }>();
  return {
    get: (key) => {
      const known = kept.get(key);
      return known && performance.now() - known.at < FRESH_MS ? known.value : undefined;
    },
    set: (key, value) => {
      kept.delete(key);
      if (kept.size >= MAX_KEPT) kept.clear();
      kept.set(key, { value, at: performance.now() });
    },
  };
}

/** Filters may be long, and a thousand of them are remembered. */
export function statementDigest(text: string, values: readonly unknown[]): string {
  const json = JSON.stringify([text, values], (_, part: unknown) =>
    typeof part === "bigint" ? `${part}n` : part,
  );
  return createHash("sha256").update(json).digest("base64url");
}

/** Rows that a sample should have; a tenth of a point off is less than what curves of recall tell apart. */
const SAMPLE_ROWS = 2000;
/** Rows of one page are often alike, having come together: they should be from so many of them at least. */
const SAMPLE_PAGES = 200;
const PAGE_BYTES = 8192;

/** Sampling is not for such a table: a view, or a foreign one. */
const WRONG_OBJECT_TYPE = "42809";

export interface PassingShares {
  of(collection: Collection, filter: Filter, limits: CallLimits): Promise<number | undefined>;
}

/** Which shares of collections pass filters, of samples of their pages. */
export function passingShares(db: Database): PassingShares {
  const shares = briefMemory<{ share: number | undefined }>();
  return {
    async of(collection, filter, limits) {
      const { text, values } = sampleStatement(collection, filter);
      const key = statementDigest(text, values);
      const known = shares.get(key);
      if (known) return known.share;
      const share = await sample(db, collection, { text, values }, limits);
      shares.set(key, { share });
      return share;
    },
  };
}

/** Its last value, which is how many percent of the pages are read, is to be added. */
function sampleStatement({ layout }: Collection, filter: Filter): Statement {
  const { values, parameter } = startStatement();
  const condition = filterCondition(filter, layout, parameter);
  const text = `
    SELECT count(*) AS sampled, count(*) FILTER (WHERE ${condition}) AS passed
      FROM ${tableSql(layout.vectors)} v TABLESAMPLE SYSTEM ($${values.length + 1}::real)`;
  return { text, values };
}

async function sample(
  db: Database,
  collection: Collection,
  { text, values }: Statement,
  limits: CallLimits,
): Promise<number | undefined> {
  try {
    const counts = await db.transaction(
      async (client) => {
        const bytes = bytesPerVector(collection);
        const total = await estimateRows(client, collection.layout.vectors, bytes);
        const rows = Math.max(SAMPLE_ROWS, (SAMPLE_PAGES * PAGE_BYTES) / bytes);
        const percent = total === 0 ? 100 : Math.min(100, (100 * rows) / total);
        const result = await client.query<{ sampled: string; passed: string }>(text, [...values, percent]);
        return result.rows[0];
      },
      { ...limits, readOnly: true },
    );
    const sampled = Number(counts?.sampled ?? 0);
    return sampled === 0 ? undefined : Number(counts?.passed) / sampled;
  } catch (error) {
    if (sqlStateOf(error) === WRONG_OBJECT_TYPE) return undefined;
    throw error;
  }
}
