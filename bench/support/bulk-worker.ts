// A bulk job in a thread of its own, so that reading its replies does not delay what the main thread times.
import { parentPort, workerData } from "node:worker_threads";
import { createClient } from "@connectrpc/connect";
import { EmbeddingService, Priority } from "@kindred/contracts/embedding/v1";
import { openChannel } from "@kindred/rpc";
import type { BulkReport, BulkSetup } from "./bulk-job.ts";

const TEXTS_A_CALL = 256;
const CALLS_AT_ONCE = 4;

const { address, texts } = workerData as BulkSetup;
const port = parentPort;
if (port === null) throw new Error("bulk-worker.ts runs as a worker thread only");
// Open for as long as the thread lives.
const channel = openChannel({ address, defaultTimeoutMs: 300_000 });
const client = createClient(EmbeddingService, channel.transport);

let serial = 0;
/** Never the same text twice. */
const nextTexts = () =>
  Array.from({ length: TEXTS_A_CALL }, () => `${texts[serial % texts.length]} (bulk ${serial++})`);

let job: { readonly stop: () => void; readonly done: Promise<BulkReport> } | undefined;

function start() {
  const startedAt = performance.now();
  const stopping = new AbortController();
  let embedded = 0;
  const lane = async () => {
    while (!stopping.signal.aborted) {
      const part = nextTexts();
      await client.embed({ texts: part, priority: Priority.BULK });
      embedded += part.length;
    }
  };
  const done = Promise.all(Array.from({ length: CALLS_AT_ONCE }, lane)).then(() => ({
    texts: embedded,
    seconds: (performance.now() - startedAt) / 1000,
  }));
  return { stop: () => stopping.abort(), done };
}

port.on("message", async (request: "start" | "stop") => {
  if (request === "start") {
    job = start();
    return;
  }
  job?.stop();
  // What goes wrong reaches the main thread as the worker's error.
  port.postMessage(await job?.done);
});
