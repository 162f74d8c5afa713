import { create } from "@bufbuild/protobuf";
import type { HandlerContext } from "@connectrpc/connect";
import {
  TokenizeResponseSchema,
  type TokenizeRequest,
  type TokenizeResponse,
} from "@kindred/contracts/embedding/v1";
import type { LocalEmbedder } from "../domain/local-embedder.ts";
import { validateTexts } from "./validate-texts.ts";

export async function tokenize(
  embedder: LocalEmbedder,
  request: TokenizeRequest,
  context: HandlerContext,
): Promise<TokenizeResponse> {
  validateTexts(request.texts);
  const results = await embedder.tokenize(request.texts, context.signal);
  return create(TokenizeResponseSchema, { results });
}
