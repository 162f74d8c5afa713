import { KindredError } from "@kindred/errors";
import type { SourceIdentity } from "./manifest.ts";

/** What is read of a source, without where it is. */
export type Selection = Omit<SourceIdentity, "server">;

/** PostgreSQL's types of whole numbers: int8, int2, int4. pg_type.dat */
const INTEGER_OIDS = new Set([20, 21, 23]);

/** The statement that reads the songs behind `after`, by ascending id: columns id, name, artist, lyrics. */
export function songsStatement(selection: Selection, after: bigint | undefined): string {
  const { id } = selection.columns;
  // With the table before it, so that it is the column and not its cast: an index of an integer column orders that one only.
  const key = `songs.${quoted(id)}`;
  const where = after === undefined ? "" : ` WHERE ${key} > ${after}`;
  return `SELECT ${listOf(selection)} FROM ${originOf(selection)}${where} ORDER BY ${key}`;
}

/** Reads nothing; its columns tell the types. The id is not cast, so that it shows its own. */
export function shapeStatement(selection: Selection): string {
  const { id, name, artist, lyrics } = selection.columns;
  const columns = [id, name, artist, lyrics].map((column) => (column === null ? "NULL" : quoted(column)));
  return `SELECT ${columns.join(", ")} FROM ${originOf(selection)} LIMIT 0`;
}

/** @throws KindredError invalid-argument when ids are no whole numbers */
export function checkShape(selection: Selection, idType: number | undefined): void {
  if (idType !== undefined && INTEGER_OIDS.has(idType)) return;
  throw new KindredError(
    "invalid-argument",
    `--id-column ${selection.columns.id} holds no whole numbers (smallint, integer, bigint), which the ids of songs have to be; cast it in a --query`,
  );
}

function listOf({ columns }: Selection): string {
  const text = (column: string | null): string =>
    column === null ? "NULL::text" : `${quoted(column)}::text`;
  return `${quoted(columns.id)}::int8, ${text(columns.name)}, ${text(columns.artist)}, ${text(columns.lyrics)}`;
}

function originOf({ table, query }: Selection): string {
  if (table !== null) return `${tableName(table)} AS songs`;
  // The last line of a query may be a comment.
  return `(\n${(query as string).replace(/[;\s]+$/, "")}\n) AS songs`;
}

/** "songs", "music.songs", `music."Songs.2020"`: each part as it is written, capital letters too. */
export function tableName(table: string): string {
  const parts = table.match(/"(?:[^"]|"")+"|[^".]+/g) ?? [];
  if (parts.length === 0 || parts.length > 2 || parts.join(".") !== table) {
    throw new KindredError(
      "invalid-argument",
      `--table ${table} is no name of a table, such as songs, music.songs or music."Songs.2020"`,
    );
  }
  return parts.map((part) => (part.startsWith('"') ? part : quoted(part))).join(".");
}

function quoted(name: string): string {
  return `"${name.replaceAll('"', '""')}"`;
}

/** How two sources differ, for people; undefined when they do not. */
export function differenceOf(before: SourceIdentity, now: SourceIdentity): string | undefined {
  const differs = (name: string, a: string | null, b: string | null): string | undefined =>
    a === b ? undefined : `${name} was ${a ?? "none"}, and is ${b ?? "none"}`;
  return (
    differs("the database", before.server, now.server) ??
    differs("--table", before.table, now.table) ??
    differs("--query", before.query, now.query) ??
    differs("--id-column", before.columns.id, now.columns.id) ??
    differs("--name-column", before.columns.name, now.columns.name) ??
    differs("--artist-column", before.columns.artist, now.columns.artist) ??
    differs("--lyrics-column", before.columns.lyrics, now.columns.lyrics)
  );
}
