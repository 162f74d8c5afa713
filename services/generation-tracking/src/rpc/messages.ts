import { create } from "@bufbuild/protobuf";
import {
  GenerationSchema,
  GenerationStatus as ProtoStatus,
  type Generation as GenerationMessage,
} from "@kindred/contracts/generation-tracking/v1";
import type { Generation, GenerationStatus } from "../domain/generation.ts";
import { timestampOf } from "./timestamps.ts";

const PROTO_STATUS: Record<GenerationStatus, ProtoStatus> = {
  completed: ProtoStatus.COMPLETED,
  failed: ProtoStatus.FAILED,
  cancelled: ProtoStatus.CANCELLED,
};

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

export function toGenerationMessage(generation: Generation): GenerationMessage {
  const { seed, numInferenceSteps, guidanceScale, generationTimeMs, memoryUsageMb, modelConfig } = generation;
  return create(GenerationSchema, {
    id: generation.id,
    prompt: generation.prompt,
    augmentedPrompt: generation.augmentedPrompt,
    outputPath: generation.outputPath,
    ...(seed === undefined ? {} : { seed }),
    ...(numInferenceSteps === undefined ? {} : { numInferenceSteps }),
    ...(guidanceScale === undefined ? {} : { guidanceScale }),
    ...(generationTimeMs === undefined ? {} : { generationTimeMs }),
    ...(memoryUsageMb === undefined ? {} : { memoryUsageMb }),
    ...(modelConfig === undefined ? {} : { modelConfig }),
    retrievedExamples: generation.retrievedExamples.map((example) => ({ ...example })),
    status: toProtoStatus(generation.status),
    errorMessage: generation.errorMessage,
    createdAt: timestampOf(generation.createdAtMicros),
  });
}
