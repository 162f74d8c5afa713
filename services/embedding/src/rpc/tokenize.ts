import { create } from "@bufbuild/protobuf";
import type { HandlerContext } from "@connectrpc/connect";
import {
  TokenizeResponseSchema,
  type TokenizeRequest,
  type TokenizeResponse,
} from "@kindred/contracts/embedding/v1";
import { KindredError } from "@kindred/errors";
import { openCall, type CallDeps } from "./deps.ts";
import { validateTexts } from "./validate-texts.ts";

export async function tokenize(
  deps: CallDeps,
  request: TokenizeRequest,
  context: HandlerContext,
): Promise<TokenizeResponse> {
  validateTexts(request.texts);
  using call = await openCall(deps, { model: request.model, expectedSpaceId: "" }, context.signal);
  const { tokens } = call.served;
  if (tokens === undefined) {
    throw new KindredError("unimplemented", `the tokenizer of ${call.name} is the provider's, and not here`);
  }
  const results = await tokens.tokenize(request.texts, context.signal);
  return create(TokenizeResponseSchema, { results });
}
