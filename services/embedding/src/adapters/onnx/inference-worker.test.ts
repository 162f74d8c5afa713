import { expect, test } from "@jest/globals";
import { startInferenceWorker } from "./inference-worker.ts";
import type { RunMessage, WorkerSettings } from "./worker-protocol.ts";

/** A thread that takes its time over each batch. */
const SLOW = new URL(
  `data:text/javascript,${encodeURIComponent(`
    import { parentPort } from "node:worker_threads";
    parentPort.on("message", () => setTimeout(() => {
      parentPort.postMessage({ type: "done", vectors: Float32Array.of(1), inferenceMs: 50 });
    }, 50));
    parentPort.postMessage({ type: "ready" });
  `)}`,
);

test("a batch that runs is finished before its thread ends", async () => {
  const worker = await startInferenceWorker({} as WorkerSettings, SLOW);
  const running = worker.run({} as RunMessage["batch"]);
  await worker[Symbol.asyncDispose]();
  expect(await running).toMatchObject({ inferenceMs: 50 });
  await worker.ended;
});
