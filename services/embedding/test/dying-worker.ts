// Stands in for worker.ts: says that it is ready, and takes the process's thread down with the first batch.
import { parentPort } from "node:worker_threads";

parentPort?.on("message", () => {
  setImmediate(() => {
    throw new Error("the native library crashed");
  });
});
// oxlint-disable-next-line unicorn/require-post-message-target-origin -- threads have no origin
parentPort?.postMessage({ type: "ready" });
