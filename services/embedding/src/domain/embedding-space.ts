import { KindredError } from "@kindred/errors";
import type { ModelDescription } from "./model.ts";

/** The space that vectors live in. Only vectors of spaces with the same id may be compared. */
export interface EmbeddingSpace {
  readonly id: string;
  readonly provider: string;
  readonly model: string;
  readonly revision: string;
  readonly dimensions: number;
  /** How token vectors become one vector; "unknown" where a provider does not say. */
  readonly pooling: "mean" | "cls" | "max" | "unknown";
  /** "l2" when vectors have length 1. */
  readonly normalization: "l2" | "none";
  readonly maxTokens: number;
}

/** A space from its parts; the id is made of them. */
export function createSpace(parts: Omit<EmbeddingSpace, "id">): EmbeddingSpace {
  const { provider, model, revision, dimensions, pooling, normalization, maxTokens } = parts;
  const id = `${provider}:${model}@${revision}:${dimensions}:${pooling}:${normalization}:${maxTokens}`;
  return { id, ...parts };
}

const REVISION_DIGITS = 12;

/** The space of a model that this service runs itself. Precision is no part of it: it changes the last digits only. */
export function localSpace(model: ModelDescription): EmbeddingSpace {
  return createSpace({
    provider: "local",
    model: model.name,
    revision: model.weights.sha256.slice(0, REVISION_DIGITS),
    dimensions: model.architecture.hidden,
    pooling: model.architecture.pooling,
    normalization: model.architecture.normalize ? "l2" : "none",
    maxTokens: model.architecture.maxTokens,
  });
}

/** @throws KindredError failed-precondition naming both spaces when they differ; "" expects nothing. */
export function requireSpace(
  served: EmbeddingSpace,
  expectedId: string,
  field: string = "expected_space_id",
): void {
  if (expectedId === "" || expectedId === served.id) return;
  throw new KindredError(
    "failed-precondition",
    `${field} is ${JSON.stringify(expectedId)}, but this model embeds into ${JSON.stringify(served.id)}; ` +
      "vectors of different spaces cannot be compared",
    { metadata: { expected_space_id: expectedId, served_space_id: served.id } },
  );
}
