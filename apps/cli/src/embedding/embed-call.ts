import type { EmbedTimings, Priority } from "@kindred/contracts/embedding/v1";
import type { EmbeddingSpace } from "@kindred/contracts/common/v1";
import { KindredError } from "@kindred/errors";
import { unpackVectors } from "@kindred/rpc";
import { translated, type Clients } from "../clients.ts";

/** What one call gives, checked. */
export interface Embedded {
  space: EmbeddingSpace;
  /** Row after row, as many as there were texts. */
  vectors: Float32Array;
  /** Of each text; empty for models that count whole requests only. */
  tokenCounts: readonly number[];
  /** Whether each text was cut; empty for models that do not say. */
  truncated: readonly boolean[];
  totalTokens: number;
  cachedTexts: number;
  timings: EmbedTimings | undefined;
}

export interface EmbedCall {
  texts: string[];
  /** Name or alias; empty for the default one. */
  model: string;
  priority: Priority;
  /** The space that the vectors have to be of; empty for any. */
  spaceId?: string;
}

/**
 * Embeds texts by one call.
 * @throws KindredError; data-loss for an answer that is not one vector of finite numbers for each text.
 */
export async function callEmbed(
  client: Pick<Clients["embedding"], "embed">,
  { texts, model, priority, spaceId = "" }: EmbedCall,
  options: { signal?: AbortSignal; timeoutMs?: number } = {},
): Promise<Embedded> {
  const reply = await translated(() =>
    client.embed({ texts, model, priority, expectedSpaceId: spaceId }, options),
  );
  const { space } = reply;
  if (!space || space.dimensions === 0) throw odd("does not say which space its vectors are of");
  const expected = texts.length * space.dimensions * Float32Array.BYTES_PER_ELEMENT;
  if (reply.vectors.byteLength !== expected) {
    throw odd(
      `has ${reply.vectors.byteLength} bytes of vectors, not ${expected} for ${texts.length} texts of ${space.dimensions} dimensions`,
    );
  }
  const vectors = unpackVectors(reply.vectors, space.dimensions);
  if (!vectors.every(Number.isFinite)) throw odd("has a vector with a component that is no finite number");
  for (const [name, { length }] of [
    ["token counts", reply.tokenCounts],
    ["marks of cut texts", reply.truncated],
  ] as const) {
    if (length !== 0 && length !== texts.length) throw odd(`has ${length} ${name} for ${texts.length} texts`);
  }
  return {
    space,
    vectors,
    tokenCounts: reply.tokenCounts,
    truncated: reply.truncated,
    totalTokens: Number(reply.totalTokens),
    cachedTexts: reply.cachedTexts,
    timings: reply.timings,
  };
}

function odd(what: string): KindredError {
  return new KindredError("data-loss", `the embedding service's answer ${what}`);
}
