import type { GetGenerationRequest } from "@kindred/contracts/generation-tracking/v1";
import { invalidField, KindredError } from "@kindred/errors";
import type { GenerationStore } from "../domain/generation-store.ts";
import { toGenerationMessage } from "./messages.ts";

export function getGenerationRpc(deps: { store: GenerationStore }) {
  return async ({ id }: GetGenerationRequest) => {
    if (id <= 0n) throw invalidField("id", `must be at least 1, is ${id}`);
    const generation = await deps.store.find(id);
    if (!generation) throw new KindredError("not-found", `there is no generation with id ${id}`);
    return { generation: toGenerationMessage(generation) };
  };
}
