import { timestampDate } from "@bufbuild/protobuf/wkt";
import type { Client } from "@connectrpc/connect";
import {
  CollectionKind,
  ElementType,
  IndexKind,
  IndexMaintenance,
  IndexQuantization,
  KeyType,
  Metric,
  type Collection,
  type CollectionService,
} from "@kindred/contracts/vector-store/v1";
import { KindredError } from "@kindred/errors";
import { fromConnectError } from "@kindred/rpc";

/** Names that existing SQL knows. */
export const SONGS_COLLECTION = "songs";
export const SONGS_TABLE = "song_embeddings";
export const SONGS_INDEX = "embeddings_ivfflat_idx";
const KEY_COLUMN = "song_id";
const VECTOR_COLUMN = "embedding";
/** pgvector indexes whole vectors up to so many dimensions; beyond, the store chooses what an index holds. */
const MAX_INDEXED_DIMENSIONS = 2_000;

export const KEY_TYPES = { integer: KeyType.INTEGER, bigint: KeyType.BIGINT } as const;

export interface SongsTarget {
  collection: string;
  /** A table's name, or schema.table. */
  table: string;
  index: string;
  /** Of the index; 0: by the rule. */
  lists: number;
  spaceId: string;
  dimensions: number;
  /** Of a table that is made: ids beyond 2,147,483,647 need "bigint". */
  keyType: keyof typeof KEY_TYPES;
}

type Collections = Pick<Client<typeof CollectionService>, "getCollection" | "registerCollection">;

/**
 * Makes the table of the songs' vectors and the collection of it, unless they are there. The collection is to have an IVFFlat index by cosine, which
 * nobody builds before it is asked for: after the load.
 * @throws KindredError failed-precondition naming what differs, where there is a collection or a table of this name that is another one
 */
export async function setupSongs(
  collections: Collections,
  target: SongsTarget,
): Promise<{ collection: Collection; created: boolean }> {
  const before = await findCollection(collections, target.collection);
  if (before) return { collection: agreeing(before, target), created: false };
  const [schema, table] = tableOf(target.table);
  try {
    const { collection } = await collections.registerCollection({
      name: target.collection,
      table: { schema, table, keyColumn: KEY_COLUMN, vectorColumn: VECTOR_COLUMN },
      metric: Metric.COSINE,
      spaceId: target.spaceId,
      indexPolicy: {
        kind: IndexKind.IVFFLAT,
        quantization: quantizationOf(target),
        lists: target.lists,
        maintenance: IndexMaintenance.MANUAL,
        indexName: target.index,
      },
      createTable: {
        dimensions: target.dimensions,
        elementType: ElementType.VECTOR,
        keyType: KEY_TYPES[target.keyType],
      },
    });
    if (!collection) throw new KindredError("internal", "the vector store does not say what it registered");
    return { collection, created: true };
  } catch (error) {
    const translated = fromConnectError(error);
    if (translated.kind !== "already-exists") throw translated;
    // Somebody else was faster.
    const now = await findCollection(collections, target.collection);
    if (!now) throw translated;
    return { collection: agreeing(now, target), created: false };
  }
}

/** The collection of this name; undefined when there is none. */
export async function findCollection(
  collections: Pick<Client<typeof CollectionService>, "getCollection">,
  name: string,
): Promise<Collection | undefined> {
  try {
    return (await collections.getCollection({ name })).collection;
  } catch (error) {
    const translated = fromConnectError(error);
    if (translated.kind === "not-found") return undefined;
    throw translated;
  }
}

/** When it was created or registered, ISO 8601. */
export function createdAtOf({ createdAt }: Collection): string {
  return createdAt ? timestampDate(createdAt).toISOString() : "";
}

function agreeing(collection: Collection, target: SongsTarget): Collection {
  const differences = differencesOf(collection, target);
  if (differences.length === 0) return collection;
  throw new KindredError(
    "failed-precondition",
    `the collection ${target.collection} is there and is another one: ${differences.join("; ")}`,
  );
}

/** "what is, and what would be", one for each. */
function differencesOf(collection: Collection, target: SongsTarget): string[] {
  const [schema, table] = tableOf(target.table);
  const { table: found, indexPolicy: policy } = collection;
  const pairs: [name: string, is: unknown, wanted: unknown][] = [
    ["kind", nameOf(CollectionKind, collection.kind), nameOf(CollectionKind, CollectionKind.REGISTERED)],
    ["table", found?.table, table],
    ["schema", found?.schema, schema === "" ? found?.schema : schema],
    ["key column", found?.keyColumn, KEY_COLUMN],
    ["vector column", found?.vectorColumn, VECTOR_COLUMN],
    ["dimensions", collection.dimensions, target.dimensions],
    ["element type", nameOf(ElementType, collection.elementType), nameOf(ElementType, ElementType.VECTOR)],
    ["embedding space", collection.spaceId, target.spaceId],
    ["metric", nameOf(Metric, collection.metric), nameOf(Metric, Metric.COSINE)],
    ["index", nameOf(IndexKind, policy?.kind ?? 0), nameOf(IndexKind, IndexKind.IVFFLAT)],
    ["index name", policy?.indexName, target.index],
    ["lists", policy?.lists, target.lists === 0 ? policy?.lists : target.lists],
  ];
  return pairs
    .filter(([, is, wanted]) => is !== wanted)
    .map(([name, is, wanted]) => `${name} is ${textOf(is)}, not ${textOf(wanted)}`);
}

function quantizationOf({ dimensions }: SongsTarget): IndexQuantization {
  return dimensions <= MAX_INDEXED_DIMENSIONS ? IndexQuantization.NONE : IndexQuantization.UNSPECIFIED;
}

function tableOf(name: string): [schema: string, table: string] {
  const at = name.indexOf(".");
  return at < 0 ? ["", name] : [name.slice(0, at), name.slice(at + 1)];
}

function nameOf(names: Readonly<Record<string, number>>, value: number): string {
  return Object.entries(names).find(([, known]) => known === value)?.[0] ?? String(value);
}

function textOf(value: unknown): string {
  return value === undefined || value === "" ? "none" : String(value);
}
