import type { MessageInitShape } from "@bufbuild/protobuf";
import { ElementType, Metric, type ItemBatchSchema } from "@kindred/contracts/vector-store/v1";
import type { Fixture } from "./fixture.ts";
import { randomNumbers } from "./json-collections.ts";

export type BatchInit = MessageInitShape<typeof ItemBatchSchema>;

export interface CollectionInit {
  name?: string;
  dimensions?: number;
  elementType?: ElementType;
  metric?: Metric;
}

/** A collection of 4 dimensions unless it says otherwise. @returns its name */
export async function createCollection(
  { collections }: Pick<Fixture, "collections">,
  { name = "things", dimensions = 4, ...rest }: CollectionInit = {},
): Promise<string> {
  await collections.createCollection({ name, dimensions, ...rest });
  return name;
}

/** Little-endian float32, one vector after the other. */
export function pack(...vectors: readonly (readonly number[])[]): Uint8Array {
  const values = vectors.flat();
  const bytes = Buffer.alloc(4 * values.length);
  for (const [i, value] of values.entries()) bytes.writeFloatLE(value, 4 * i);
  return bytes;
}

export const keysFrom = (first: number, count: number): string[] =>
  Array.from({ length: count }, (_, i) => `key-${String(first + i).padStart(6, "0")}`);

/** Items `first` to `first + count - 1`, whose vectors and metadata say which they are. */
export function batchFrom(first: number, count: number, dimensions = 4, seed = 1): BatchInit {
  const keys = keysFrom(first, count);
  return {
    keys,
    vectors: pack(...keys.map((_, i) => vectorOf(first + i, dimensions, seed))),
    metadata: keys.map((_, i) => ({ number: first + i, seed })),
  };
}

export function vectorOf(number: number, dimensions = 4, seed = 1): number[] {
  const random = randomNumbers(number * 31 + seed);
  return Array.from({ length: dimensions }, () => Math.fround(random() - 0.5));
}

/** Asks for vectors too. */
export const WHOLE = { vector: true };

/** More rows than this come by COPY where the server takes it. */
export const COPIED = 600;

/** All items of the collection "things" by key; vectors as numbers. */
export async function storedItems({
  vectors: service,
}: Pick<Fixture, "vectors">): Promise<{ key: string; vector: number[]; metadata: unknown }[]> {
  const answers = await Array.fromAsync(service.export({ collection: "things", projection: WHOLE }));
  return answers.flatMap(({ items }) => {
    const vectors = Buffer.from(items?.vectors ?? []);
    const bytes = vectors.length / Math.max(1, items?.keys.length ?? 0);
    return (items?.keys ?? []).map((key, row) => ({
      key,
      vector: Array.from({ length: bytes / 4 }, (_, i) => vectors.readFloatLE(row * bytes + 4 * i)),
      metadata: items?.metadata[row],
    }));
  });
}

/** What the names of the tables of the collection "things" begin with. */
export async function tablesOf({ db }: Pick<Fixture, "db">): Promise<string> {
  const { rows } = await db.query<{ id: number }>("SELECT id FROM collections WHERE name = 'things'");
  return `collection_${rows[0]?.id}`;
}

/** @returns whether the database has pgvector; says so where a test cannot run for want of it. */
export function hasVector({ db }: Pick<Fixture, "db">): boolean {
  if (!db.capabilities.vector) process.stderr.write("not run: needs pgvector\n");
  return db.capabilities.vector !== undefined;
}
