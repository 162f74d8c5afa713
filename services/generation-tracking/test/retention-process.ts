import { openReplica } from "./retention-workers.ts";

// A replica in a process of its own, which does operations until it is killed: node retention-process.ts URL
await openReplica(process.argv[2] as string, {
  name: "retention-process",
  times: { lease: 3000, renewEvery: 500 },
});
