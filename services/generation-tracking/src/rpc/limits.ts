import type { HandlerContext } from "@connectrpc/connect";
import { countDown, type CallLimits } from "../domain/operations/operation.ts";

/** How long this call's caller waits: each call of the result gives what is left. */
export function limitsOf(context: Pick<HandlerContext, "signal" | "timeoutMs">): () => CallLimits {
  return countDown({ signal: context.signal, timeoutMs: context.timeoutMs() });
}
