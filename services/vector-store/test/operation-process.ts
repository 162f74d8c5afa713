import { openWorker, stepping, type Worker } from "./operation-workers.ts";

// A process of its own that does operations until it is killed: node operation-process.ts URL
const worker: Worker = await openWorker(process.argv[2] as string, [stepping("index-drop", () => worker.db)]);
