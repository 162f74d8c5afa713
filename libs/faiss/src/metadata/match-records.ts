import { KindredError } from "@kindred/errors";
import type { Metadata, MetadataIds } from "./metadata.ts";

/** Which record belongs to which vector. */
export interface RecordMatch {
  /** In words: "by position", or "by the ids in …". */
  readonly how: string;
  /**
   * The record of the vector with this id, at this position of the index.
   * @throws KindredError data-loss where there is none, or where another vector has it already
   */
  recordOf(id: bigint, position: number): number;
}

/** What an index says of its ids. */
export interface IndexIds {
  readonly count: number;
  readonly hasIds: boolean;
  /** All of them, in ascending position. */
  ids(): AsyncIterable<BigInt64Array>;
}

/**
 * Finds out how records and vectors belong together: by ids where the metadata has such that are those of the index (or, for an index
 * without ids of its own, its positions), else by their order.
 * @throws KindredError data-loss where their numbers differ, or ids that can be nothing else do not agree
 */
export async function matchRecords(metadata: Metadata, index: IndexIds): Promise<RecordMatch> {
  if (metadata.count !== index.count) {
    throw new KindredError(
      "data-loss",
      `the index has ${index.count} vectors and the metadata ${metadata.count} records: nobody can say which belongs to which`,
    );
  }
  for (const ids of metadata.ids) {
    const records = new Map<bigint, number>();
    ids.values.forEach((id, record) => records.set(BigInt(id), record));
    const difference = differenceOf(ids, records, metadata.count) ?? (await missing(index, records));
    if (difference === undefined) return byId(ids, records);
    if (ids.certainty === "certain" || (index.hasIds && ids.certainty !== "guess"))
      throw new KindredError(
        "data-loss",
        `the metadata's ${ids.from} are not the index's ids: ${difference}`,
      );
  }
  return { how: "by position", recordOf: (_id, position) => position };
}

function differenceOf(
  ids: MetadataIds,
  records: ReadonlyMap<bigint, number>,
  count: number,
): string | undefined {
  return records.size === count
    ? undefined
    : `${ids.values.length - records.size} of them come more than once`;
}

/** The first id of the index that no record has. Ids of the index that come twice leave a record over, which is one as well. */
async function missing(index: IndexIds, records: ReadonlyMap<bigint, number>): Promise<string | undefined> {
  const matched = new Uint8Array(index.count);
  for await (const some of index.ids()) {
    for (const id of some) {
      const record = records.get(id);
      if (record === undefined) return `the index has ${id}, and no record has it`;
      if (matched[record]) return `the index has ${id} more than once`;
      matched[record] = 1;
    }
  }
  return undefined;
}

function byId(ids: MetadataIds, records: ReadonlyMap<bigint, number>): RecordMatch {
  return {
    how: ids.from === "keys" ? "by the keys of the dict" : `by the ids in ${JSON.stringify(ids.from)}`,
    recordOf: (id) => {
      const record = records.get(id);
      if (record === undefined)
        throw new KindredError("data-loss", `no record of the metadata has the id ${id} of the index`);
      return record;
    },
  };
}
