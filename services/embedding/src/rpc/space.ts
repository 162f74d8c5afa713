import { create } from "@bufbuild/protobuf";
import { EmbeddingSpaceSchema, type EmbeddingSpace as SpaceMessage } from "@kindred/contracts/common/v1";
import type { EmbeddingSpace } from "../domain/embedding-space.ts";

export function spaceMessage(space: EmbeddingSpace): SpaceMessage {
  return create(EmbeddingSpaceSchema, { ...space });
}
