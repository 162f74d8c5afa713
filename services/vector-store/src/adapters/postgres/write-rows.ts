import type { ServerCapabilities } from "@kindred/postgres";
import { KindredError } from "@kindred/errors";
import { escapeIdentifier, type PoolClient } from "pg";
import { from as copyFrom } from "pg-copy-streams";
import type { WriteMethod } from "../../domain/item-ports.ts";
import { binaryArray, copyChunks, type BinaryRows } from "./binary-rows.ts";

// The one way in which vectors come into tables, those of images and of collections alike.

type CopyCapability = Pick<ServerCapabilities, "copy">;

/** Fewer are written faster by one statement with its parameters. */
const WORTH_COPYING = 256;

/** Whether rows come by COPY. @throws KindredError failed-precondition where they should, and the server cannot */
export function isCopied(
  { copy }: CopyCapability,
  { count }: Pick<BinaryRows, "count">,
  method: WriteMethod = "auto",
): boolean {
  switch (method) {
    case "auto":
      return copy && count >= WORTH_COPYING;
    case "insert":
      return false;
    case "copy":
      if (copy) return true;
      throw new KindredError(
        "failed-precondition",
        "this database takes no COPY (PGlite): write with WRITE_METHOD_INSERT, or leave write_method to the store",
      );
  }
}

/**
 * Appends rows to a table by COPY BINARY. What the server refuses rejects at once, and the connection can go on after a rollback.
 * @param target the table's name in SQL
 */
export async function copyRows(client: PoolClient, target: string, rows: BinaryRows): Promise<void> {
  const columns = rows.columns.map(({ name }) => escapeIdentifier(name)).join(", ");
  const stream = client.query(copyFrom(`COPY ${target} (${columns}) FROM STDIN (FORMAT binary)`));
  const { promise: done, resolve, reject } = Promise.withResolvers<void>();
  stream.once("finish", resolve);
  stream.once("error", reject);
  const feed = async (): Promise<void> => {
    for (const chunk of copyChunks(rows)) {
      const written = new Promise<void>((sent) => stream.write(chunk, () => sent()));
      await Promise.race([written, done]);
    }
    stream.end();
  };
  const fed = feed();
  try {
    await Promise.all([fed, done]);
  } catch (error) {
    // What could not be made into bytes: the server still waits for the rest.
    if (!stream.errored && !stream.destroyed) {
      stream.removeListener("error", reject);
      stream.once("error", () => {});
      stream.destroy(error as Error);
    }
    throw error;
  }
}

/** Rows in a FROM, under the names of their columns. */
export interface RowSource {
  /** With the alias. */
  from(alias: string): string;
  /** What `$1`, `$2` … of it stand for. */
  values: Buffer[];
}

/**
 * Makes rows available to the statements of a transaction: many in a temporary table that lasts until its end, by COPY BINARY; few
 * as parameters. To be called once a transaction.
 */
export async function rowSource(
  client: PoolClient,
  capabilities: CopyCapability,
  rows: BinaryRows,
  method: WriteMethod = "auto",
): Promise<RowSource> {
  if (isCopied(capabilities, rows, method)) {
    const columns = rows.columns.map(({ name, type }) => `${escapeIdentifier(name)} ${type.name}`);
    await client.query(`CREATE TEMPORARY TABLE ${STAGED} (${columns.join(", ")}) ON COMMIT DROP`);
    await copyRows(client, `pg_temp.${STAGED}`, rows);
    return { from: (alias) => `pg_temp.${STAGED} ${alias}`, values: [] };
  }
  const oids = await Promise.all(rows.columns.map(({ type }) => type.oid ?? oidOf(client, type.name)));
  const names = rows.columns.map(({ name }) => escapeIdentifier(name)).join(", ");
  const arrays = rows.columns.map(({ type }, i) => `$${i + 1}::${type.name}[]`).join(", ");
  return {
    from: (alias) => `unnest(${arrays}) AS ${alias} (${names})`,
    values: rows.columns.map((column, i) => binaryArray(column, rows.count, oids[i] as number)),
  };
}

const STAGED = "staged_rows";

const OIDS = new WeakMap<PoolClient, Map<string, number>>();

/** Asked once a connection: it differs from database to database, and changes when an extension is made anew. */
async function oidOf(client: PoolClient, type: string): Promise<number> {
  const known = OIDS.get(client) ?? new Map<string, number>();
  OIDS.set(client, known);
  let oid = known.get(type);
  if (oid === undefined) {
    const { rows } = await client.query<{ oid: number }>("SELECT $1::regtype::oid AS oid", [type]);
    oid = rows[0]?.oid as number;
    known.set(type, oid);
  }
  return oid;
}
