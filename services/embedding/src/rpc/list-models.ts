import { create } from "@bufbuild/protobuf";
import { ListModelsResponseSchema, type ListModelsResponse } from "@kindred/contracts/embedding/v1";
import type { CallDeps } from "./deps.ts";
import { modelMessage } from "./model-message.ts";

export function listModels({ registry }: CallDeps): ListModelsResponse {
  return create(ListModelsResponseSchema, { models: registry.list().map(modelMessage) });
}
