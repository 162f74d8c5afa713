import { create } from "@bufbuild/protobuf";
import type { HandlerContext } from "@connectrpc/connect";
import {
  EmbedStreamOptionsSchema,
  EmbedStreamResponseSchema,
  type EmbedStreamRequest,
  type EmbedStreamResponse,
} from "@kindred/contracts/embedding/v1";
import { invalidField } from "@kindred/errors";
import { packVectors } from "@kindred/rpc";
import { embedInOrder } from "../domain/embed-in-order.ts";
import { requireSpace } from "../domain/embedding-space.ts";
import { openCall, type CallDeps } from "./deps.ts";
import { priorityOf } from "./priority.ts";
import { spaceMessage } from "./space.ts";
import { timingsMessage } from "./timings.ts";
import { validateStreamTexts } from "./validate-texts.ts";

/** The texts of all messages, from the first on, which has been read already. */
async function* textsOf(
  first: EmbedStreamRequest,
  others: AsyncIterator<EmbedStreamRequest>,
): AsyncGenerator<readonly string[]> {
  let step: IteratorResult<EmbedStreamRequest> = { done: false, value: first };
  for (let message = 0; step.done !== true; message++) {
    const { texts, options } = step.value;
    if (message > 0 && options !== undefined) {
      throw invalidField(
        "options",
        `belongs into the first message of the stream, and stands in message ${message}`,
      );
    }
    validateStreamTexts(texts, message);
    if (texts.length > 0) yield texts;
    step = await others.next();
  }
}

export async function* embedStream(
  deps: CallDeps,
  requests: AsyncIterable<EmbedStreamRequest>,
  context: HandlerContext,
): AsyncGenerator<EmbedStreamResponse> {
  const messages = requests[Symbol.asyncIterator]();
  const first = await messages.next();
  if (first.done === true) return;
  const options = first.value.options ?? create(EmbedStreamOptionsSchema);
  const priority = priorityOf(options.priority, "options.priority", "bulk");
  using call = await openCall(deps, options, context.signal);
  const { embedder } = call.served;
  requireSpace(embedder.space, options.expectedSpaceId, "options.expected_space_id");

  const pieces = embedInOrder(embedder, textsOf(first.value, messages), { priority, signal: context.signal });
  for await (const { firstText, textCount, embeddings } of pieces) {
    yield create(EmbedStreamResponseSchema, {
      firstText: BigInt(firstText),
      textCount,
      vectors: packVectors(embeddings.vectors),
      ...(firstText === 0 ? { space: spaceMessage(embedder.space) } : {}),
      tokenCounts: [...(embeddings.tokenCounts ?? [])],
      truncated: [...(embeddings.truncated ?? [])],
      timings: timingsMessage(embeddings),
      totalTokens: BigInt(embeddings.totalTokens),
    });
  }
}
