import type { MessageInitShape } from "@bufbuild/protobuf";
import type { Client } from "@connectrpc/connect";
import {
  BadRowPolicy,
  type ConflictPolicy,
  type IngestRequestSchema,
  type ItemBatchSchema,
  type VectorService,
  type WriteMethod,
} from "@kindred/contracts/vector-store/v1";
import { KindredError } from "@kindred/errors";
import { fromConnectError, packVectors } from "@kindred/rpc";
import type { UploadBatch } from "./upload-batches.ts";

/** How vectors are to be stored. */
export interface SinkOptions {
  collection: string;
  spaceId: string;
  onConflict: ConflictPolicy;
}

interface Counts<T> {
  inserted: T;
  replaced: T;
  skipped: T;
}

/** What storing one batch did. */
export interface StoredBatch extends Counts<number> {
  batch: UploadBatch;
}

/** Where vectors go: batches one after the other, each stored whole or not at all. */
export interface VectorSink {
  /** Whether the planner's statistics are gathered in the end. */
  readonly analyzes: boolean;
  /**
   * Stores the batches, and says so of each one, in their order; ends when all that belongs to it is done.
   * @param stop ends it behind the batches that were sent; `batches` has to end with it
   * @throws KindredErrors; batches that were answered before are stored
   */
  store(batches: AsyncIterable<UploadBatch>, stop: AbortSignal): AsyncGenerator<StoredBatch>;
}

/** Batches that were sent and not answered yet: the service works on one, and has the next one at hand. */
const UNANSWERED = 4;

/** Through the Ingest stream, which needs gRPC: COPY, or INSERTs of many rows, and ANALYZE in the end. */
export function ingestSink(
  client: Pick<Client<typeof VectorService>, "ingest">,
  options: SinkOptions & { writeMethod: WriteMethod },
): VectorSink {
  return {
    analyzes: true,
    async *store(batches, stop) {
      const { collection, spaceId, onConflict, writeMethod } = options;
      const how = { collection, spaceId, onConflict, writeMethod, badRows: BadRowPolicy.REJECT_BATCH };
      const sent: UploadBatch[] = [];
      let answered = Promise.withResolvers<void>();
      const call = new AbortController();
      const belowUnanswered = async (count: number): Promise<void> => {
        while (sent.length >= count && !call.signal.aborted) await answered.promise;
      };
      async function* requests(): AsyncGenerator<MessageInitShape<typeof IngestRequestSchema>> {
        yield { message: { case: "options", value: { ...how, analyze: true } } };
        let sequence = 0n;
        for await (const batch of batches) {
          await belowUnanswered(UNANSWERED);
          if (call.signal.aborted) return;
          sent.push(batch);
          sequence += 1n;
          yield { message: { case: "batch", value: { sequence, items: toItemBatch(batch) } } };
        }
        if (!stop.aborted) return;
        // An end of the stream would have everything done that belongs to the end of the work.
        await belowUnanswered(1);
        call.abort();
        throw new Error("stopped");
      }
      try {
        let stored = 0n;
        for await (const answer of client.ingest(requests(), { signal: call.signal })) {
          const batch = sent.shift();
          stored += 1n;
          if (!batch || answer.sequence !== stored) throw odd(`${answer.sequence} where ${stored} is next`);
          yield { batch, ...counted(answer) };
          answered.resolve();
          answered = Promise.withResolvers();
        }
        if (sent.length > 0) throw odd(`an end, with ${sent.length} batches that it says nothing of`);
      } catch (error) {
        if (!call.signal.aborted || !stop.aborted) throw fromConnectError(error);
      } finally {
        call.abort();
        answered.resolve();
      }
    },
  };
}

/** Through Upsert calls, one batch each: over HTTP/1.1, which has no streams in both directions. */
export function upsertSink(
  client: Pick<Client<typeof VectorService>, "upsert">,
  options: SinkOptions & { timeoutMs: number },
): VectorSink {
  const { collection, spaceId, onConflict, timeoutMs } = options;
  return {
    analyzes: false,
    async *store(batches) {
      for await (const batch of batches) {
        const request = { collection, spaceId, onConflict, items: toItemBatch(batch) };
        const answer = await client
          .upsert({ ...request, badRows: BadRowPolicy.REJECT_BATCH }, { timeoutMs })
          .catch((error: unknown) => {
            throw fromConnectError(error);
          });
        yield { batch, ...counted(answer) };
      }
    },
  };
}

function counted({ inserted, replaced, skipped }: Counts<bigint>): Counts<number> {
  return { inserted: Number(inserted), replaced: Number(replaced), skipped: Number(skipped) };
}

function toItemBatch({ ids, vectors }: UploadBatch): MessageInitShape<typeof ItemBatchSchema> {
  return { keys: Array.from(ids, String), vectors: packVectors(vectors) };
}

function odd(what: string): KindredError {
  return new KindredError("internal", `the vector store answered Ingest with ${what}`);
}
