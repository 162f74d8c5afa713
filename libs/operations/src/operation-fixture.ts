import type { Operation } from "./operation.ts";

/** For tests: an operation of this kind that somebody has just begun, but for what is given. */
export function plainOperation<Kind extends string>(
  given: Pick<Operation<Kind>, "kind"> & Partial<Operation<Kind>>,
): Operation<Kind> {
  return {
    id: 1n,
    subject: "songs",
    state: "running",
    progress: { phase: "", phaseNumber: 0, phaseCount: 0, done: 0, total: 0, unit: "" },
    rate: undefined,
    remainingMs: undefined,
    spec: {},
    checkpoint: {},
    result: undefined,
    failure: undefined,
    notes: [],
    automatic: false,
    attempts: 1,
    createdAt: new Date(0),
    startedAt: new Date(0),
    updatedAt: new Date(0),
    finishedAt: undefined,
    ...given,
  };
}
