import { KindredError } from "@kindred/errors";
import type { ModelDescription } from "./model.ts";

/** The space that vectors live in. Only vectors of spaces with the same id may be compared. */
export interface EmbeddingSpace {
  readonly id: string;
  readonly provider: string;
  readonly model: string;
  readonly revision: string;
  readonly dimensions: number;
  readonly pooling: "mean";
  readonly normalization: "l2";
  readonly maxTokens: number;
}

const REVISION_DIGITS = 12;

/** The space of a model that this service runs itself. Precision is no part of it: it changes the last digits only. */
export function localSpace(model: ModelDescription): EmbeddingSpace {
  const space = {
    provider: "local",
    model: model.name,
    revision: model.weights.sha256.slice(0, REVISION_DIGITS),
    dimensions: model.architecture.hidden,
    pooling: "mean",
    normalization: "l2",
    maxTokens: model.architecture.maxTokens,
  } as const;
  const { provider, revision, dimensions, pooling, normalization, maxTokens } = space;
  const id = `${provider}:${model.name}@${revision}:${dimensions}:${pooling}:${normalization}:${maxTokens}`;
  return { id, ...space };
}

/** @throws KindredError failed-precondition naming both spaces when they differ; "" expects nothing. */
export function requireSpace(served: EmbeddingSpace, expectedId: string): void {
  if (expectedId === "" || expectedId === served.id) return;
  throw new KindredError(
    "failed-precondition",
    `expected_space_id is ${JSON.stringify(expectedId)}, but this service embeds into ${JSON.stringify(served.id)}; ` +
      "vectors of different spaces cannot be compared",
    { metadata: { expected_space_id: expectedId, served_space_id: served.id } },
  );
}
