import { KindredError } from "@kindred/errors";
import { countDown } from "../call-limits.ts";
import { DIMENSIONS, MAX_DIMENSIONS, type Collection } from "../collection.ts";
import type { EmbeddingSpace } from "../embedding-space.ts";
import type { CollectionRepository } from "../item-ports.ts";
import type { Operation, OperationStore } from "../operations/operation.ts";
import type { CallLimits, EmbeddingPort } from "../ports.ts";
import { obstacleError } from "./obstacle-error.ts";
import type { SpaceMoves } from "./reembedding-ports.ts";
import { textlessError } from "./textless-error.ts";

export interface StartReembeddingDeps {
  collections: Pick<CollectionRepository, "get">;
  embedding: Pick<EmbeddingPort, "spaceOf">;
  moves: Pick<SpaceMoves, "textless" | "obstacles">;
  operations: Pick<OperationStore, "start">;
}

export interface ReembeddingRequest {
  collection: string;
  target: { spaceId: string } | { model: string };
  requestId: string | undefined;
}

/**
 * Begins to move a collection into another embedding space.
 * @throws KindredError not-found for an unknown collection or model; failed-precondition where the collection cannot be moved, or is in that
 *   space; aborted while another operation of the collection is active
 */
export async function startReembedding(
  deps: StartReembeddingDeps,
  { collection: name, target, requestId }: ReembeddingRequest,
  limits: CallLimits,
): Promise<Operation> {
  const left = countDown(limits);
  const collection = await deps.collections.get(name);
  requireMovable(collection);
  const space = await deps.embedding.spaceOf(target, left());
  // Whoever asks again with the same request id gets the operation, also when it is done.
  if (requestId === undefined) requireAnother(collection, space);
  requireRoom(collection, space);
  const obstacles = await deps.moves.obstacles(collection, left());
  if (obstacles.length > 0) throw obstacleError(obstacles);
  const textless = await deps.moves.textless(collection, left());
  if (textless.count > 0) throw textlessError(name, textless);
  return await deps.operations.start(
    {
      kind: "reembedding",
      subject: name,
      spec: {
        space_id: space.id,
        previous_space_id: collection.space?.id ?? "",
        ...("model" in target && { model: target.model }),
      },
      automatic: false,
      requestId,
    },
    left(),
  );
}

function requireMovable({ name, kind, elementType, layout }: Collection): void {
  const refused = (why: string): KindredError =>
    new KindredError("failed-precondition", `${JSON.stringify(name)} cannot be embedded again: ${why}`);
  if (kind === "registered") {
    throw refused(
      "its table is its owner's, who alone may replace it; embed its texts into a collection of the store's, or fill a new column " +
        "and register that",
    );
  }
  if (layout.vector.storage === "json") {
    throw refused(
      "its vectors are kept as JSON, for want of pgvector: install that and run `kindred db upgrade-vectors` first",
    );
  }
  if (elementType === "bit") {
    throw refused("it keeps bits, and no model embeds texts into those");
  }
}

function requireAnother({ name, space }: Collection, target: EmbeddingSpace): void {
  if (space?.id !== target.id) return;
  throw new KindredError(
    "failed-precondition",
    `${JSON.stringify(name)} is in the embedding space ${JSON.stringify(target.id)} already`,
  );
}

function requireRoom({ name, kind, elementType }: Collection, space: EmbeddingSpace): void {
  const most = MAX_DIMENSIONS[elementType];
  if (kind === "images" && space.dimensions !== DIMENSIONS) {
    throw new KindredError(
      "failed-precondition",
      `the images catalogue keeps vectors of ${DIMENSIONS} dimensions, those of ${JSON.stringify(space.id)} have ` +
        `${space.dimensions}: choose a model of ${DIMENSIONS}, or keep the texts in a collection of their own, which may have any`,
    );
  }
  if (space.dimensions > most) {
    throw new KindredError(
      "failed-precondition",
      `${JSON.stringify(name)} keeps vectors of at most ${most} dimensions, those of ${JSON.stringify(space.id)} have ${space.dimensions}`,
    );
  }
}
