import { ConnectError, type HandlerContext } from "@connectrpc/connect";
import type { IngestOptions, IngestRequest } from "@kindred/contracts/vector-store/v1";
import { fromConnectError, startChecks } from "@kindred/rpc";
import { invalidField } from "@kindred/errors";
import {
  ingestItems,
  type IngestDeps,
  type IngestSource,
  type NumberedBatch,
} from "../../domain/items/ingest.ts";
import type { ItemBatch } from "../../domain/items/new-items.ts";
import { limitsOf } from "../limits.ts";
import {
  readBadRowPolicy,
  readCollection,
  readConflictPolicy,
  readItems,
  readSpaceId,
  readWriteMethod,
} from "./read-items.ts";

export function ingestRpc(deps: IngestDeps) {
  return async function* (requests: AsyncIterable<IngestRequest>, context: HandlerContext) {
    for await (const result of ingestItems(deps, sourceOf(requests), limitsOf(context))) {
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

type Options = Omit<ItemBatch, "items"> & { analyze: boolean };

function sourceOf(requests: AsyncIterable<IngestRequest>): IngestSource {
  let options: Options | undefined;
  return {
    batches: batchesOf(requests, (read) => (options = read)),
    analyzed: () => (options?.analyze ? options.collection : undefined),
  };
}

async function* batchesOf(
  requests: AsyncIterable<IngestRequest>,
  onOptions: (options: Options) => void,
): AsyncIterable<NumberedBatch> {
  let options: Options | undefined;
  try {
    for await (const { message } of requests) {
      if (message.case === "options") {
        if (options) throw invalidField("options", "must come once, as the first message");
        options = readOptions(message.value);
        onOptions(options);
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

function readOptions(options: IngestOptions): Options {
  const checks = startChecks();
  const read = {
    collection: readCollection(options.collection, "options.collection", checks),
    spaceId: readSpaceId(options.spaceId, "options.space_id", checks),
    onConflict: readConflictPolicy(options.onConflict, "error", "options.on_conflict", checks),
    badRows: readBadRowPolicy(options.badRows, "options.bad_rows", checks),
    writeMethod: readWriteMethod(options.writeMethod, "options.write_method", checks),
    analyze: options.analyze,
    fields: { items: "batch.items", spaceId: "options.space_id" },
  };
  checks.throwIfAny();
  return read;
}
