import { create } from "@bufbuild/protobuf";
import type { HandlerContext } from "@connectrpc/connect";
import { InfoResponseSchema, type InfoRequest, type InfoResponse } from "@kindred/contracts/embedding/v1";
import type { CallDeps } from "./deps.ts";
import { precisionMessage } from "./precision.ts";
import { spaceMessage } from "./space.ts";
import { MAX_TEXT_BYTES, MAX_TEXTS } from "./validate-texts.ts";

const REMOTE = "remote";

export async function info(
  { registry, maxConcurrentRequests }: CallDeps,
  request: InfoRequest,
  context: HandlerContext,
): Promise<InfoResponse> {
  using lease = await registry.acquire(request.model, context.signal);
  const { name, aliases } = registry.resolve(request.model);
  const { embedder, local, source, maxQueueTokens, pricePerMillionTokens } = lease.served;
  return create(InfoResponseSchema, {
    space: spaceMessage(embedder.space),
    precision: precisionMessage(local?.precision),
    requestedExecutionProvider: local?.requestedProvider ?? REMOTE,
    effectiveExecutionProvider: local?.effectiveProvider ?? REMOTE,
    executionProviderReason: local?.providerReason ?? "",
    workers: local?.workers ?? 0,
    threadsPerWorker: local?.threadsPerWorker ?? 0,
    modelSource: source,
    weightsSha256: local?.weightsSha256 ?? "",
    limits: {
      maxTexts: MAX_TEXTS,
      maxTextBytes: MAX_TEXT_BYTES,
      maxBatchTokens: local?.maxBatchTokens ?? 0,
      maxQueueTokens,
      maxConcurrentRequests,
    },
    model: name,
    aliases: [...aliases],
    ...(pricePerMillionTokens !== undefined && { pricePerMillionTokens }),
  });
}
