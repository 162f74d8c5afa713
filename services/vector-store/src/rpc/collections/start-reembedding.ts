import type { HandlerContext } from "@connectrpc/connect";
import type { StartReembeddingRequest } from "@kindred/contracts/vector-store/v1";
import { startChecks, type FieldChecks } from "@kindred/rpc";
import {
  startReembedding,
  type ReembeddingRequest,
  type StartReembeddingDeps,
} from "../../domain/reembedding/start-reembedding.ts";
import { limitsOf } from "../limits.ts";
import { toOperationMessage } from "../operations/messages.ts";
import { checkText } from "../text-checks.ts";
import { readName, readSpace } from "./collection-fields.ts";

const MAX_MODEL_CHARACTERS = 200;
const MAX_REQUEST_ID_CHARACTERS = 200;

export function startReembeddingRpc(deps: StartReembeddingDeps) {
  return async (request: StartReembeddingRequest, context: HandlerContext) => {
    const operation = await startReembedding(deps, readRequest(request), limitsOf(context));
    return { operation: toOperationMessage(operation) };
  };
}

function readRequest({ collection, spaceId, model, requestId }: StartReembeddingRequest): ReembeddingRequest {
  const checks = startChecks();
  const name = readName(collection, "collection", checks);
  const target = readTarget(spaceId, model, checks);
  checkText(checks, "request_id", requestId, { maxCharacters: MAX_REQUEST_ID_CHARACTERS });
  checks.throwIfAny();
  return { collection: name, target, requestId: requestId === "" ? undefined : requestId };
}

function readTarget(spaceId: string, model: string, checks: FieldChecks): ReembeddingRequest["target"] {
  if (spaceId === "" && model === "") checks.add("space_id", "is required where no model is given");
  if (spaceId !== "" && model !== "") checks.add("model", "cannot be given together with space_id");
  readSpace(spaceId, "space_id", checks);
  checkText(checks, "model", model, { maxCharacters: MAX_MODEL_CHARACTERS });
  return spaceId === "" ? { model } : { spaceId };
}
