import type { MessageInitShape } from "@bufbuild/protobuf";
import { durationFromMs, timestampFromDate } from "@bufbuild/protobuf/wkt";
import {
  OperationState as StateMessage,
  type Operation as OperationMessage,
  type OperationKind as KindMessage,
  type OperationSchema,
} from "@kindred/contracts/common/v1";
import { KindredError } from "@kindred/errors";
import { toConnectError } from "@kindred/rpc";
import type { Operation, OperationState } from "../operation.ts";

/** What operations can be about: the cases of the contract's `subject`. */
export type OperationSubject = NonNullable<OperationMessage["subject"]["case"]>;

/** Which part of the contract a service's operations are told in. */
export interface OperationContract<
  Kind extends string = string,
  Subject extends OperationSubject = OperationSubject,
> {
  subject: Subject;
  kinds: Record<Kind, KindMessage>;
}

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

/** All that callers may know of an operation: its checkpoint is the handler's own. */
export function toOperationMessage<Kind extends string>(
  contract: OperationContract<Kind>,
  operation: Operation<Kind>,
): MessageInitShape<typeof OperationSchema> {
  const { progress, failure, startedAt, finishedAt } = operation;
  return {
    id: operation.id,
    kind: contract.kinds[operation.kind],
    subject: { case: contract.subject, value: operation.subject },
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
  };
}
