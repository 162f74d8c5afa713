import { create } from "@bufbuild/protobuf";
import {
  InfoResponseSchema,
  Precision as PrecisionMessage,
  type InfoResponse,
} from "@kindred/contracts/embedding/v1";
import type { ServedModel } from "../domain/served-model.ts";
import type { Precision } from "../domain/precision.ts";
import { spaceMessage } from "./space.ts";
import { MAX_TEXT_BYTES, MAX_TEXTS } from "./validate-texts.ts";

const PRECISIONS: Record<Precision, PrecisionMessage> = {
  fp32: PrecisionMessage.FP32,
  int8: PrecisionMessage.INT8,
};

export function info(served: ServedModel): InfoResponse {
  return create(InfoResponseSchema, {
    space: spaceMessage(served.embedder.space),
    precision: PRECISIONS[served.precision],
    requestedExecutionProvider: served.requestedProvider,
    effectiveExecutionProvider: served.effectiveProvider,
    executionProviderReason: served.providerReason,
    workers: served.workers,
    threadsPerWorker: served.threadsPerWorker,
    modelSource: served.source,
    weightsSha256: served.weightsSha256,
    limits: {
      maxTexts: MAX_TEXTS,
      maxTextBytes: MAX_TEXT_BYTES,
      maxBatchTokens: served.maxBatchTokens,
      maxQueueTokens: served.maxQueueTokens,
    },
  });
}
