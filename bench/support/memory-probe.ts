// Loaded into the service's process by --import: appends what V8 and Node use to the file KINDRED_MEMORY_PROBE, a line a second.
import { appendFileSync } from "node:fs";
import { isMainThread } from "node:worker_threads";

const INTERVAL_MS = 1000;

const path = process.env["KINDRED_MEMORY_PROBE"];
if (isMainThread && path !== undefined) {
  setInterval(() => {
    appendFileSync(path, `${JSON.stringify({ at: Date.now(), ...process.memoryUsage() })}\n`);
  }, INTERVAL_MS).unref();
}
