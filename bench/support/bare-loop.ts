import { once } from "node:events";
import { Worker } from "node:worker_threads";
import { setNativeVariable } from "@kindred/config";
import { bareBatches, type BareBatch } from "./bare-batches.ts";

/** What a thread of the bare loop is given. */
export interface BareWork {
  readonly modelPath: string;
  readonly batches: readonly BareBatch[];
  /** One number, shared by all threads: how many batches have been taken. */
  readonly taken: Int32Array<SharedArrayBuffer>;
  readonly intraOpThreads: number;
}

export type BareReply =
  | { readonly type: "ready" }
  /** Text numbers with their vectors, where they were asked for. */
  | { readonly type: "done"; readonly rows: readonly [number, Float32Array][] };

export interface BareLoop extends AsyncDisposable {
  /** All batches once. @returns the seconds. */
  run(): Promise<number>;
  /** Vectors of all texts, in their order. */
  vectors(): Promise<Float32Array[]>;
}

export interface BareLoopOptions {
  /** Compiled model, as the service runs it. */
  readonly modelPath: string;
  /** Of every text, special tokens included. */
  readonly tokenIds: readonly (readonly number[])[];
  /** Most tokens in a batch, padding included. */
  readonly maxBatchTokens: number;
  /** Threads, a session each. */
  readonly workers: number;
  readonly intraOpThreads: number;
}

/**
 * ONNX Runtime and nothing around it: threads with a session each take length-sorted batches, whose tensors are made beforehand,
 * from a shared counter until there are none left. What any service with these workers could reach at best.
 */
export async function startBareLoop(options: BareLoopOptions): Promise<BareLoop> {
  setNativeVariable("ORT_DISABLE_TELEMETRY", "1");
  const { modelPath, intraOpThreads, workers } = options;
  const batches = bareBatches(options.tokenIds, options.maxBatchTokens);
  const taken = new Int32Array(new SharedArrayBuffer(Int32Array.BYTES_PER_ELEMENT));
  const work: BareWork = { modelPath, batches, taken, intraOpThreads };
  const threads = Array.from(
    { length: workers },
    () => new Worker(new URL("./bare-worker.ts", import.meta.url), { workerData: work }),
  );
  const stop = async () => {
    await Promise.all(threads.map((thread) => thread.terminate()));
  };
  // once() rejects with what a thread throws.
  const reply = async (thread: Worker) => ((await once(thread, "message")) as [BareReply])[0];
  const askAll = async (request: "run" | "vectors"): Promise<BareReply[]> => {
    Atomics.store(taken, 0, 0);
    return await Promise.all(
      threads.map((thread) => {
        const answered = reply(thread);
        // oxlint-disable-next-line unicorn/require-post-message-target-origin -- threads have no origin
        thread.postMessage(request);
        return answered;
      }),
    );
  };
  try {
    await Promise.all(threads.map(reply));
  } catch (error) {
    await stop();
    throw error;
  }
  return {
    run: async () => {
      const startedAt = performance.now();
      await askAll("run");
      return (performance.now() - startedAt) / 1000;
    },
    vectors: async () => {
      const rows = (await askAll("vectors")).flatMap((done) => (done.type === "done" ? done.rows : []));
      return rows.toSorted(([a], [b]) => a - b).map(([, vector]) => vector);
    },
    [Symbol.asyncDispose]: stop,
  };
}
