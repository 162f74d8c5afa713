import { create } from "@bufbuild/protobuf";
import {
  GenerationFieldsSchema,
  type UpdateGenerationRequest,
} from "@kindred/contracts/generation-tracking/v1";
import { startChecks } from "@kindred/rpc";
import { noGeneration } from "../domain/generation-errors.ts";
import type { GenerationChanges, GenerationLives } from "../domain/generation-lives.ts";
import { readChangeable } from "./generation-fields.ts";
import { toGenerationMessage } from "./messages.ts";
import { readId } from "./read-id.ts";

const CHANGEABLE = ["labels", "rating", "session_id"];

export function updateGenerationRpc(deps: { lives: Pick<GenerationLives, "update"> }) {
  return async (request: UpdateGenerationRequest) => {
    const checks = startChecks();
    const id = readId(request.id, checks);
    const paths = request.updateMask?.paths ?? [];
    if (paths.length === 0)
      checks.add("update_mask", `must name what to change, of ${CHANGEABLE.join(", ")}`);
    for (const path of paths) {
      if (!CHANGEABLE.includes(path))
        checks.add("update_mask", `must be of ${CHANGEABLE.join(", ")}, has ${JSON.stringify(path)}`);
    }
    // A mask without values takes them away.
    const fields = request.generation ?? create(GenerationFieldsSchema);
    const { labels, rating, sessionId } = readChangeable(fields, "generation", checks);
    checks.throwIfAny();
    const changes: GenerationChanges = {
      ...(paths.includes("labels") && { labels }),
      ...(paths.includes("rating") && { rating }),
      ...(paths.includes("session_id") && { sessionId }),
    };
    const generation = await deps.lives.update(id, changes);
    if (!generation) throw noGeneration(id);
    return { generation: toGenerationMessage(generation) };
  };
}
