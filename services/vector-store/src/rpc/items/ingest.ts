import { ConnectError, type HandlerContext } from "@connectrpc/connect";
import type { IngestOptions, IngestRequest } from "@kindred/contracts/vector-store/v1";
import { fromConnectError, startChecks } from "@kindred/rpc";
import { invalidField } from "@kindred/errors";
import { ingestItems, type IngestDeps, type NumberedBatch } from "../../domain/items/ingest.ts";
import type { ItemBatch } from "../../domain/items/new-items.ts";
import { limitsOf } from "../limits.ts";
import {
  readBadRowPolicy,
  readCollection,
  readConflictPolicy,
  readItems,
  readSpaceId,
} from "./read-items.ts";

export function ingestRpc(deps: IngestDeps) {
  return async function* (requests: AsyncIterable<IngestRequest>, context: HandlerContext) {
    for await (const result of ingestItems(deps, batchesOf(requests), limitsOf(context))) {
      const { sequence, inserted, replaced, skipped, rejected } = result;
      yield {
        sequence,
        inserted: BigInt(inserted),
        replaced: BigInt(replaced),
        skipped: BigInt(skipped),
        rejected: [...rejected],
      };
    }
  };
}

async function* batchesOf(requests: AsyncIterable<IngestRequest>): AsyncIterable<NumberedBatch> {
  let options: Omit<ItemBatch, "items"> | undefined;
  try {
    for await (const { message } of requests) {
      if (message.case === "options") {
        if (options) throw invalidField("options", "must come once, as the first message");
        options = readOptions(message.value);
      } else if (message.case === "batch") {
        if (!options) throw invalidField("options", "must be the first message");
        const checks = startChecks();
        const items = readItems(message.value.items, "batch.items", checks);
        checks.throwIfAny();
        yield { ...options, sequence: message.value.sequence, items };
      } else throw invalidField("message", "is required: options or batch");
    }
  } catch (error) {
    // A message that cannot be decoded is reported after the batches before it are stored, as any bad batch is.
    throw error instanceof ConnectError ? fromConnectError(error) : error;
  }
}

function readOptions(options: IngestOptions): Omit<ItemBatch, "items"> {
  const checks = startChecks();
  const read = {
    collection: readCollection(options.collection, "options.collection", checks),
    spaceId: readSpaceId(options.spaceId, "options.space_id", checks),
    onConflict: readConflictPolicy(options.onConflict, "error", "options.on_conflict", checks),
    badRows: readBadRowPolicy(options.badRows, "options.bad_rows", checks),
    fields: { items: "batch.items", spaceId: "options.space_id" },
  };
  checks.throwIfAny();
  return read;
}
