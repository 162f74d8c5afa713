import { KindredError } from "@kindred/errors";
import type { NewSample, SampleStore } from "./sample.ts";

export interface SampleWriterOptions {
  store: Pick<SampleStore, "insert">;
  /** Samples in one statement. */
  maxBatch?: number;
  /** Samples that wait for theirs; beyond that they are refused. */
  maxWaiting?: number;
}

/** Stores the samples of several callers together: while one statement is under way, what comes waits for the next. */
export interface SampleWriter {
  /**
   * Resolves when they are stored, all of them.
   * @throws KindredError what the database failed with; resource-exhausted when too many wait
   */
  write(samples: readonly NewSample[]): Promise<void>;
}

interface Waiting {
  samples: readonly NewSample[];
  done: PromiseWithResolvers<void>;
}

const MAX_BATCH = 2000;
const MAX_WAITING = 50_000;

/** A statement costs more than most of the samples in it: with many reporters, one does the work of hundreds. */
export function createSampleWriter({
  store,
  maxBatch = MAX_BATCH,
  maxWaiting = MAX_WAITING,
}: SampleWriterOptions): SampleWriter {
  const queue: Waiting[] = [];
  let waiting = 0;
  let writing = false;

  const next = (): Waiting[] => {
    const batch: Waiting[] = [];
    let size = 0;
    while (queue[0] !== undefined && (size === 0 || size + queue[0].samples.length <= maxBatch)) {
      const first = queue.shift() as Waiting;
      size += first.samples.length;
      batch.push(first);
    }
    waiting -= size;
    return batch;
  };
  const writeAll = async (): Promise<void> => {
    writing = true;
    while (queue.length > 0) {
      const batch = next();
      try {
        await store.insert(batch.flatMap(({ samples }) => samples));
        for (const { done } of batch) done.resolve();
      } catch (error) {
        for (const { done } of batch) done.reject(error);
      }
    }
    writing = false;
  };

  return {
    async write(samples) {
      if (waiting + samples.length > maxWaiting) {
        throw new KindredError("resource-exhausted", "too many samples wait to be stored", {
          retryAfterMs: 1000,
        });
      }
      const done = Promise.withResolvers<void>();
      queue.push({ samples, done });
      waiting += samples.length;
      if (!writing) void writeAll();
      await done.promise;
    },
  };
}
