import { testDatabase } from "@kindred/testing";
import pg from "pg";
import { filterCondition } from "../src/adapters/postgres/filter-condition.ts";
import { startStatement, type Statement } from "../src/adapters/postgres/sql.ts";
import { evaluateFilter } from "../src/domain/evaluate-filter.ts";
import type { Filter } from "../src/domain/filter.ts";
import type { JsonObject } from "../src/domain/image.ts";
import type { Layout, TableName } from "../src/domain/layout.ts";

// The tables v_vectors and v_items of a database, whose `id` is a row's position, and what filters let pass of them.

const table = (name: string): TableName => ({ schema: "public", name });

export const viaItems: NonNullable<Layout["items"]> = {
  table: table("v_items"),
  column: "id",
  on: "id",
  complete: false,
};

/** What layouts of them have in common. */
export const shape: Pick<Layout, "vectors" | "key" | "vector" | "document" | "updatedAt"> = {
  vectors: table("v_vectors"),
  key: { column: "id", type: "integer" },
  vector: { column: "embedding", storage: "json" },
  document: undefined,
  updatedAt: undefined,
};

export interface FilteredTables extends AsyncDisposable {
  client: pg.Client;
  /** Positions of the rows that each filter lets pass, all by one statement. */
  passing(filters: readonly Filter[], layout: Layout): Promise<number[][]>;
  countOf(statement: Statement): Promise<number>;
}

/** In a database of its own, with these columns. */
export async function openTables(columns: { vectors: string; items: string }): Promise<FilteredTables> {
  await using opening = new AsyncDisposableStack();
  const { url } = opening.use(await testDatabase());
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  opening.defer(() => client.end());
  // To show that the session's zone does not matter.
  await client.query("SET TimeZone = 'Asia/Kathmandu'");
  await client.query(`CREATE TABLE v_vectors (id int PRIMARY KEY${columns.vectors})`);
  await client.query(`CREATE TABLE v_items (id int PRIMARY KEY${columns.items})`);
  const open = opening.move();
  return {
    client,
    async passing(filters, layout) {
      const { values, parameter } = startStatement();
      const found = filters.map(
        (filter) =>
          `ARRAY(SELECT v.id FROM v_vectors v WHERE ${filterCondition(filter, layout, parameter)} ORDER BY 1)`,
      );
      const text = `SELECT ${found.join(", ")}`;
      const { rows } = await client.query<number[][]>({ text, values, rowMode: "array" });
      return rows[0] as number[][];
    },
    async countOf({ text, values }) {
      const { rows } = await client.query<{ count: string }>(text, values);
      return Number(rows[0]?.count);
    },
    [Symbol.asyncDispose]: () => open.disposeAsync(),
  };
}

/** What passes, as the evaluator has it. */
export function expected(filter: Filter, documents: readonly JsonObject[]): number[] {
  return documents.flatMap((document, i) => (evaluateFilter(filter, document) ? [i] : []));
}
