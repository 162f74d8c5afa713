import { create } from "@bufbuild/protobuf";
import type { HandlerContext } from "@connectrpc/connect";
import {
  TokenizeResponseSchema,
  type TokenizeRequest,
  type TokenizeResponse,
} from "@kindred/contracts/embedding/v1";
import type { Embedder } from "../domain/embedder.ts";
import { validateTexts } from "./validate-texts.ts";

export async function tokenize(
  embedder: Embedder,
  request: TokenizeRequest,
  context: HandlerContext,
): Promise<TokenizeResponse> {
  validateTexts(request.texts);
  const results = await embedder.tokenize(request.texts, context.signal);
  return create(TokenizeResponseSchema, { results });
}
