import type { MessageInitShape } from "@bufbuild/protobuf";
import { OperationKind, OperationState, type OperationSchema } from "@kindred/contracts/common/v1";

export type OperationInit = MessageInitShape<typeof OperationSchema>;

/** An index build that was begun 90 seconds before it said this. */
export const BUILD: OperationInit = {
  id: 17n,
  kind: OperationKind.INDEX_BUILD,
  subject: { case: "collection", value: "songs" },
  state: OperationState.RUNNING,
  phase: "build: loading tuples",
  phaseNumber: 2,
  phaseCount: 5,
  done: 1_200n,
  total: 5_000n,
  unit: "rows",
  rate: 400,
  remaining: { seconds: 9n, nanos: 500_000_000 },
  attempts: 1,
  createdAt: { seconds: 1_750_000_000n },
  startedAt: { seconds: 1_750_000_000n },
  updatedAt: { seconds: 1_750_000_090n },
};

export const BUILT: OperationInit = {
  ...BUILD,
  state: OperationState.SUCCEEDED,
  phase: "validate",
  phaseNumber: 5,
  done: 0n,
  total: 0n,
  unit: "",
  rate: 0,
  remaining: { seconds: 0n },
  result: { index_name: "songs_hnsw", size_bytes: 40_000_000, build_ms: 12_400, recall: 0.961234 },
  finishedAt: { seconds: 1_750_000_100n },
};

export const FAILED: OperationInit = {
  ...BUILT,
  state: OperationState.FAILED,
  result: {},
  failure: { code: 9, message: "recall 0.91 misses the target 0.95" },
};
