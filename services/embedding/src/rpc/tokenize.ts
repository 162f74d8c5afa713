import { create } from "@bufbuild/protobuf";
import type { HandlerContext } from "@connectrpc/connect";
import {
  TokenizeResponseSchema,
  type TokenizeRequest,
  type TokenizeResponse,
} from "@kindred/contracts/embedding/v1";
import { KindredError } from "@kindred/errors";
import type { CallDeps } from "./deps.ts";
import { validateTexts } from "./validate-texts.ts";

export async function tokenize(
  { registry, admission }: CallDeps,
  request: TokenizeRequest,
  context: HandlerContext,
): Promise<TokenizeResponse> {
  validateTexts(request.texts);
  using _place = admission.enter();
  using lease = await registry.acquire(request.model, context.signal);
  const { tokens } = lease.served;
  if (tokens === undefined) {
    throw new KindredError("unimplemented", `the tokenizer of ${lease.name} is the provider's, and not here`);
  }
  const results = await tokens.tokenize(request.texts, context.signal);
  return create(TokenizeResponseSchema, { results });
}
