import { KindredError } from "@kindred/errors";
import { sqlStateOf, type Database } from "@kindred/postgres";
import type { Collection } from "../../domain/collection.ts";
import type { ItemStore } from "../../domain/item-ports.ts";
import { TOO_MANY_WORDS } from "../../domain/text-problem.ts";
import type { CallLimits } from "../../domain/ports.ts";

const PROGRAM_LIMIT_EXCEEDED = "54000";

/** A tsvector has at most 1 MiB of words and their positions, a word's being several times as long as the word at worst. */
const SUSPICIOUS_BYTES = 2 ** 20 / 16;

/** Whether a statement failed because an index of words cannot take in a text. */
export function isTooManyWords(error: unknown): boolean {
  return sqlStateOf(error) === PROGRAM_LIMIT_EXCEEDED;
}

/** The store, which names the item whose document full-text search cannot take in: metadata `key` of an invalid-argument. */
export function namingDocuments(items: ItemStore, db: Database): ItemStore {
  const explained = async (
    error: unknown,
    collection: Collection,
    rows: readonly { key: string; document: string | undefined }[],
    limits: CallLimits,
  ): Promise<unknown> => {
    if (!isTooManyWords(error) || collection.textSearchConfig === undefined) return error;
    for (const { key, document = "" } of rows) {
      if (Buffer.byteLength(document) < SUSPICIOUS_BYTES) continue;
      if (await fits(db, collection.textSearchConfig, document, limits)) continue;
      return new KindredError(
        "invalid-argument",
        `the document of the item ${JSON.stringify(key)} ${TOO_MANY_WORDS}`,
        { cause: error, metadata: { key } },
      );
    }
    return error;
  };
  return {
    ...items,
    async store(prepared, limits) {
      try {
        return await items.store(prepared, limits);
      } catch (error) {
        throw await explained(error, prepared.collection, prepared.rows, limits);
      }
    },
    async updateMetadata(collection, changes, options, limits) {
      try {
        return await items.updateMetadata(collection, changes, options, limits);
      } catch (error) {
        throw await explained(error, collection, changes, limits);
      }
    },
  };
}

async function fits(db: Database, config: string, document: string, limits: CallLimits): Promise<boolean> {
  try {
    await db.statement(
      { text: "SELECT length(to_tsvector($1::regconfig, $2))", values: [config, document] },
      { ...limits, readOnly: true },
    );
    return true;
  } catch (error) {
    if (isTooManyWords(error)) return false;
    throw error;
  }
}
