// Entry of an inference thread: one session, one batch at a time. Errors are told, not thrown, so that only a real
// crash ends the thread.
import { parentPort, workerData } from "node:worker_threads";
import { messageOf } from "@kindred/errors";
import { failureKind } from "./failure-kind.ts";
import { lowerPriority } from "./lower-priority.ts";
import { openInferenceSession, runBatch } from "./session.ts";
import type { RunMessage, WorkerMessage, WorkerSettings } from "./worker-protocol.ts";

const settings = workerData as WorkerSettings;
const port = parentPort;
if (port === null) throw new Error("worker.ts runs as a worker thread only");
const tell = (message: WorkerMessage, transfer: ArrayBuffer[] = []) => port.postMessage(message, transfer);

try {
  const session = await openInferenceSession(settings.session);
  await runBatch(session, settings.warmUp);
  lowerPriority(settings.niceness);
  port.on("message", async ({ batch }: RunMessage) => {
    try {
      const startedAt = performance.now();
      const vectors = await runBatch(session, batch);
      const inferenceMs = performance.now() - startedAt;
      tell({ type: "done", vectors, inferenceMs }, [vectors.buffer]);
    } catch (error) {
      const reason = messageOf(error);
      tell({ type: "failed", kind: failureKind(reason), reason });
    }
  });
  tell({ type: "ready" });
} catch (error) {
  tell({ type: "unusable", reason: messageOf(error) });
}
