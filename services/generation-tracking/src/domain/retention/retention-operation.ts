import type { OperationHandler } from "../operations/operation.ts";
import { readPolicySpec } from "./policy.ts";
import type { RetentionRun, RetentionRuns } from "./ports.ts";

/** To find out what goes, all generations may have to be read. */
const BEGIN_MS = 600_000;
/** For a thousand rows; whoever waits longer waits for somebody else's lock, and tries again. */
const DELETE_MS = 30_000;

/** Deletes what a policy lets go, some at a time. What is deleted stays so when it is cancelled. */
export function retentionHandler({ runs }: { runs: RetentionRuns }): OperationHandler {
  return {
    kind: "retention",
    async run({ operation, signal, report, checkpoint }) {
      const policy = readPolicySpec(operation.subject, operation.spec);
      const tell = ({ deleted, total }: RetentionRun): void =>
        report({
          phase: "delete",
          phaseNumber: 2,
          phaseCount: 2,
          done: Number(deleted),
          total: Number(total),
          unit: "generations",
        });
      report({ phase: "count", phaseNumber: 1, phaseCount: 2, done: 0, total: 0, unit: "generations" });
      let run = await runs.begin(operation.id, policy, { signal, timeoutMs: BEGIN_MS });
      tell(run);
      while (!run.over) {
        signal.throwIfAborted();
        run = await runs.deleteSome(operation.id, policy, { signal, timeoutMs: DELETE_MS });
        tell(run);
        await checkpoint({ deleted: String(run.deleted) });
      }
      return { deleted: Number(run.deleted) };
    },
    // Rows that are gone stay gone.
    cleanUp: async () => {},
  };
}
