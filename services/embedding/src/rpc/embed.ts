import { create } from "@bufbuild/protobuf";
import type { HandlerContext } from "@connectrpc/connect";
import { EmbedResponseSchema, type EmbedRequest, type EmbedResponse } from "@kindred/contracts/embedding/v1";
import { packVectors } from "@kindred/rpc";
import { requireSpace } from "../domain/embedding-space.ts";
import { openCall, type CallDeps } from "./deps.ts";
import { priorityOf } from "./priority.ts";
import { spaceMessage } from "./space.ts";
import { timingsMessage } from "./timings.ts";
import { validateTexts } from "./validate-texts.ts";

export async function embed(
  deps: CallDeps,
  request: EmbedRequest,
  context: HandlerContext,
): Promise<EmbedResponse> {
  validateTexts(request.texts);
  const priority = priorityOf(request.priority, "priority", "interactive");
  using call = await openCall(deps, request, context.signal);
  const { embedder } = call.served;
  requireSpace(embedder.space, request.expectedSpaceId);
  const result = await embedder.embed(request.texts, { priority, signal: context.signal });
  return create(EmbedResponseSchema, {
    vectors: packVectors(result.vectors),
    space: spaceMessage(embedder.space),
    tokenCounts: [...(result.tokenCounts ?? [])],
    truncated: [...(result.truncated ?? [])],
    totalTokens: BigInt(result.totalTokens),
    cachedTexts: result.cachedTexts,
    timings: timingsMessage(result),
  });
}
