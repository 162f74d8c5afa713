import { setTimeout as sleep } from "node:timers/promises";
import { createClient, type Transport } from "@connectrpc/connect";
import type { EmbeddingSpace as SpaceMessage } from "@kindred/contracts/common/v1";
import { EmbeddingService, Priority } from "@kindred/contracts/embedding/v1";
import { isKindredError, KindredError } from "@kindred/errors";
import { callOptions } from "@kindred/rpc";
import { countDown } from "../../domain/call-limits.ts";
import { spaceMismatch, type EmbeddingSpace } from "../../domain/embedding-space.ts";
import type { CallLimits, EmbeddingPort } from "../../domain/ports.ts";

/** Ten thousand texts take some time, and several imports wait for each other. */
const BULK_TIMEOUT_MS = 600_000;
/** Between two tries of bulk work when the service is busy and does not say how long. */
const BUSY_PAUSE_MS = 250;
const UNAVAILABLE_RETRY_MS = 1000;

/** The embedding service behind its contract. */
export function embeddingClient(transport: Transport): EmbeddingPort {
  const client = createClient(EmbeddingService, transport);
  return {
    async embed(texts, options) {
      const bulk = options.priority === "bulk";
      const request = {
        texts: [...texts],
        priority: bulk ? Priority.BULK : Priority.INTERACTIVE,
        expectedSpaceId: options.expectedSpaceId ?? "",
      };
      const call = (limits: CallLimits) => client.embed(request, callOptions(limits));
      const reply = await explained(() => (bulk ? patiently(call, options) : call(options)));
      const space = toSpace(reply.space);
      if (reply.vectors.byteLength !== texts.length * space.dimensions * Float32Array.BYTES_PER_ELEMENT) {
        throw new KindredError(
          "internal",
          `the embedding service returned ${reply.vectors.byteLength} bytes for ${texts.length} texts`,
        );
      }
      return { vectors: reply.vectors, space };
    },

    async servedSpace(limits) {
      const { space } = await explained(() => client.info({}, callOptions(limits)));
      return toSpace(space);
    },

    async spaceOf(wanted, limits) {
      // Embedding is what it is to be served: a model's description does not say which model a space is of.
      const target = "model" in wanted ? { model: wanted.model } : { expectedSpaceId: wanted.spaceId };
      const request = { ...target, texts: ["space"], priority: Priority.BULK };
      try {
        const reply = await patiently((left) => client.embed(request, callOptions(left)), limits);
        return toSpace(reply.space);
      } catch (error) {
        const notServed =
          "spaceId" in wanted && isKindredError(error) && error.metadata["served_space_id"] !== undefined;
        if (!notServed) return await explained(() => Promise.reject(error));
        throw new KindredError(
          "failed-precondition",
          `the embedding service serves no model of the space ${JSON.stringify(wanted.spaceId)}: ` +
            "`kindred embedding models` lists those that it does",
          { cause: error },
        );
      }
    },
  };
}

/** Bulk work waits while the service's queue is full: that is how it is held back. */
async function patiently<T>(call: (left: CallLimits) => Promise<T>, limits: CallLimits): Promise<T> {
  const left = countDown({ ...limits, timeoutMs: limits.timeoutMs ?? BULK_TIMEOUT_MS });
  for (;;) {
    try {
      return await call(left());
    } catch (error) {
      if (!isKindredError(error) || error.kind !== "resource-exhausted") throw error;
      // Jitter: several importers were refused at the same moment.
      const pause = Math.max(error.retryAfterMs ?? 0, BUSY_PAUSE_MS) * (0.5 + Math.random());
      if (pause >= (left().timeoutMs ?? Infinity)) throw error;
      await sleep(pause, undefined, limits.signal ? { signal: limits.signal } : {});
    }
  }
}

/** Errors of the embedding service in the words of this one's callers. */
async function explained<T>(call: () => Promise<T>): Promise<T> {
  try {
    return await call();
  } catch (error) {
    if (!isKindredError(error)) throw error;
    const { expected_space_id: expected, served_space_id: served } = error.metadata;
    if (error.kind === "failed-precondition" && expected !== undefined && served !== undefined) {
      throw spaceMismatch(expected, served);
    }
    if (error.kind === "unavailable") {
      throw new KindredError(
        "unavailable",
        `the embedding service cannot be reached (${error.message}); searches by vector and by key go on`,
        { cause: error, retryAfterMs: error.retryAfterMs ?? UNAVAILABLE_RETRY_MS },
      );
    }
    throw error;
  }
}

function toSpace(space: SpaceMessage | undefined): EmbeddingSpace {
  if (!space)
    throw new KindredError("internal", "the embedding service did not say which space it embeds into");
  const { id, provider, model, revision, dimensions, pooling, normalization, maxTokens } = space;
  return { id, provider, model, revision, dimensions, pooling, normalization, maxTokens };
}
