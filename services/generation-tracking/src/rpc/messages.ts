import { create } from "@bufbuild/protobuf";
import {
  GenerationProgressSchema,
  GenerationSchema,
  GenerationStatus as ProtoStatus,
  OutputFileSchema,
  OutputState as ProtoOutputState,
  RetrievalSchema,
  RetrievedExampleSchema,
  type Generation as GenerationMessage,
  type GenerationProgress as ProgressMessage,
  type OutputFile as OutputMessage,
  type Retrieval as RetrievalMessage,
  type RetrievedExample as RetrievedExampleMessage,
} from "@kindred/contracts/generation-tracking/v1";
import { timestampOf } from "@kindred/rpc";
import {
  OUTPUT_STATES,
  type Generation,
  type GenerationProgress,
  type GenerationStatus,
  type OutputFile,
  type OutputState,
  type Retrieval,
  type RetrievedExample,
} from "../domain/generation.ts";

const PROTO_STATUS: Record<GenerationStatus, ProtoStatus> = {
  completed: ProtoStatus.COMPLETED,
  failed: ProtoStatus.FAILED,
  cancelled: ProtoStatus.CANCELLED,
  running: ProtoStatus.RUNNING,
};

const PROTO_OUTPUT_STATE: Record<OutputState, ProtoOutputState> = {
  unknown: ProtoOutputState.UNSPECIFIED,
  kept: ProtoOutputState.KEPT,
  missing: ProtoOutputState.MISSING,
  changed: ProtoOutputState.CHANGED,
};

const DOMAIN_OUTPUT_STATE = new Map(
  OUTPUT_STATES.map((state) => [PROTO_OUTPUT_STATE[state], state] as const),
);

const DOMAIN_STATUS = new Map(
  Object.entries(PROTO_STATUS).map(([status, proto]) => [proto, status as GenerationStatus] as const),
);

export function toProtoStatus(status: GenerationStatus): ProtoStatus {
  return PROTO_STATUS[status];
}

/** Undefined for UNSPECIFIED, and for a number that this version of the contract does not know. */
export function toDomainStatus(status: ProtoStatus): GenerationStatus | undefined {
  return DOMAIN_STATUS.get(status);
}

export function toProtoOutputState(state: OutputState): ProtoOutputState {
  return PROTO_OUTPUT_STATE[state];
}

/** Undefined for a number that this version of the contract does not know; "unknown" for UNSPECIFIED. */
export function toDomainOutputState(state: ProtoOutputState): OutputState | undefined {
  return DOMAIN_OUTPUT_STATE.get(state);
}

export function toGenerationMessage(generation: Generation): GenerationMessage {
  const { createdAtMicros, leaseExpiresAtMicros, finishedAtMicros, progress, retrieval, ...fields } =
    generation;
  return create(GenerationSchema, {
    ...present(fields),
    retrievedExamples: generation.retrievedExamples.map(toExampleMessage),
    status: toProtoStatus(generation.status),
    labels: [...generation.labels],
    outputs: generation.outputs.map(toOutputMessage),
    createdAt: timestampOf(createdAtMicros),
    ...(retrieval && { retrieval: toRetrievalMessage(retrieval) }),
    ...(progress && { progress: toProgressMessage(progress) }),
    ...(leaseExpiresAtMicros !== undefined && { leaseExpiresAt: timestampOf(leaseExpiresAtMicros) }),
    ...(finishedAtMicros !== undefined && { finishedAt: timestampOf(finishedAtMicros) }),
  });
}

export function toExampleMessage(example: RetrievedExample): RetrievedExampleMessage {
  return create(RetrievedExampleSchema, { ...example });
}

export function toRetrievalMessage(retrieval: Retrieval): RetrievalMessage {
  return create(RetrievalSchema, present(retrieval));
}

export function toOutputMessage({
  sizeBytes,
  sha256,
  state,
  verifiedAtMicros,
  path,
}: OutputFile): OutputMessage {
  return create(OutputFileSchema, {
    path,
    state: toProtoOutputState(state),
    ...(sizeBytes !== undefined && { sizeBytes }),
    ...(sha256 && { sha256: new Uint8Array(sha256) }),
    ...(verifiedAtMicros !== undefined && { verifiedAt: timestampOf(verifiedAtMicros) }),
  });
}

function toProgressMessage({ reportedAtMicros, ...progress }: GenerationProgress): ProgressMessage {
  return create(GenerationProgressSchema, { ...progress, reportedAt: timestampOf(reportedAtMicros) });
}

type Present<T> = { [K in keyof T]: Exclude<T[K], undefined> };

/** Without the members that are undefined, which a message's initialiser does not take. */
function present<T extends object>(values: T): Present<T> {
  return Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined)) as Present<T>;
}
