import { create } from "@bufbuild/protobuf";
import { durationFromMs, timestampFromDate } from "@bufbuild/protobuf/wkt";
import {
  OperationKind as KindMessage,
  OperationSchema,
  OperationState as StateMessage,
  type Operation as OperationMessage,
} from "@kindred/contracts/generation-tracking/v1";
import { KindredError } from "@kindred/errors";
import { toConnectError } from "@kindred/rpc";
import type { Operation, OperationKind, OperationState } from "../../domain/operations/operation.ts";

const KIND_MESSAGES: Record<OperationKind, KindMessage> = { retention: KindMessage.RETENTION };

const STATE_MESSAGES: Record<OperationState, StateMessage> = {
  queued: StateMessage.QUEUED,
  running: StateMessage.RUNNING,
  cancelling: StateMessage.CANCELLING,
  succeeded: StateMessage.SUCCEEDED,
  failed: StateMessage.FAILED,
  cancelled: StateMessage.CANCELLED,
};

/** What google.protobuf.Duration holds: 10,000 years, which an estimate at the first row may pass. */
const LONGEST_MS = 315_576_000_000_000;

export function toOperationMessage(operation: Operation): OperationMessage {
  const { progress, failure, startedAt, finishedAt } = operation;
  return create(OperationSchema, {
    id: operation.id,
    kind: KIND_MESSAGES[operation.kind],
    subject: operation.subject,
    state: STATE_MESSAGES[operation.state],
    phase: progress.phase,
    phaseNumber: progress.phaseNumber,
    phaseCount: progress.phaseCount,
    done: BigInt(progress.done),
    total: BigInt(progress.total),
    unit: progress.unit,
    rate: operation.rate ?? 0,
    ...(operation.remainingMs !== undefined && {
      remaining: durationFromMs(Math.min(LONGEST_MS, Math.round(operation.remainingMs))),
    }),
    spec: operation.spec,
    ...(operation.result && { result: operation.result }),
    ...(failure && {
      failure: {
        // The one table from kinds to codes is that of errors on the wire.
        code: toConnectError(new KindredError(failure.kind, failure.message)).code,
        message: failure.message,
      },
    }),
    notes: [...operation.notes],
    automatic: operation.automatic,
    attempts: operation.attempts,
    createdAt: timestampFromDate(operation.createdAt),
    ...(startedAt && { startedAt: timestampFromDate(startedAt) }),
    updatedAt: timestampFromDate(operation.updatedAt),
    ...(finishedAt && { finishedAt: timestampFromDate(finishedAt) }),
  });
}
