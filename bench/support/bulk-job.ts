import { once } from "node:events";
import { setTimeout as sleep } from "node:timers/promises";
import { Worker } from "node:worker_threads";

export interface BulkSetup {
  readonly address: string;
  /** A number is added to each, so that none is ever sent twice. */
  readonly texts: readonly string[];
}

export interface BulkReport {
  readonly texts: number;
  readonly seconds: number;
}

/** Somebody who embeds texts in bulk, several calls at once, whenever asked to. */
export interface BulkJob extends AsyncDisposable {
  /** Resolves when the service has had time to fill its queue. */
  start(): Promise<void>;
  /** Waits for the calls that are under way. */
  stop(): Promise<BulkReport>;
}

const FILL_MS = 700;

export function openBulkJob(setup: BulkSetup): BulkJob {
  const worker = new Worker(new URL("./bulk-worker.ts", import.meta.url), { workerData: setup });
  const tell = (request: "start" | "stop"): void => {
    // oxlint-disable-next-line unicorn/require-post-message-target-origin -- threads have no origin
    worker.postMessage(request);
  };
  return {
    start: async () => {
      tell("start");
      await sleep(FILL_MS);
    },
    stop: async () => {
      const report = once(worker, "message");
      tell("stop");
      return ((await report) as [BulkReport])[0];
    },
    [Symbol.asyncDispose]: async () => {
      await worker.terminate();
    },
  };
}
