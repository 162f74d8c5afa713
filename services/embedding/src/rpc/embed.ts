import { create } from "@bufbuild/protobuf";
import { durationFromMs } from "@bufbuild/protobuf/wkt";
import type { HandlerContext } from "@connectrpc/connect";
import {
  EmbedResponseSchema,
  Priority as PriorityMessage,
  type EmbedRequest,
  type EmbedResponse,
} from "@kindred/contracts/embedding/v1";
import { invalidField } from "@kindred/errors";
import { packVectors } from "@kindred/rpc";
import type { Embedder, Priority } from "../domain/embedder.ts";
import { requireSpace } from "../domain/embedding-space.ts";

import { spaceMessage } from "./space.ts";
import { validateTexts } from "./validate-texts.ts";

function priorityOf(priority: PriorityMessage): Priority {
  switch (priority) {
    case PriorityMessage.UNSPECIFIED:
    case PriorityMessage.INTERACTIVE:
      return "interactive";
    case PriorityMessage.BULK:
      return "bulk";
    default:
      throw invalidField(
        "priority",
        `must be PRIORITY_INTERACTIVE (1) or PRIORITY_BULK (2), is ${String(priority)}`,
      );
  }
}

function duration(ms: number) {
  return durationFromMs(Math.round(ms));
}

export async function embed(
  embedder: Embedder,
  request: EmbedRequest,
  context: HandlerContext,
): Promise<EmbedResponse> {
  validateTexts(request.texts);
  const priority = priorityOf(request.priority);
  requireSpace(embedder.space, request.expectedSpaceId);
  const result = await embedder.embed(request.texts, { priority, signal: context.signal });
  return create(EmbedResponseSchema, {
    vectors: packVectors(result.vectors),
    space: spaceMessage(embedder.space),
    tokenCounts: [...(result.tokenCounts ?? [])],
    truncated: [...(result.truncated ?? [])],
    totalTokens: BigInt(result.totalTokens),
    cachedTexts: result.cachedTexts,
    timings: {
      queue: duration(result.queueMs),
      tokenize: duration(result.tokenizeMs),
      inference: duration(result.inferenceMs),
    },
  });
}
