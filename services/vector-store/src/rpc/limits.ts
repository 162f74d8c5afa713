import type { HandlerContext } from "@connectrpc/connect";
import { countDown } from "../domain/call-limits.ts";
import type { CallLimits } from "../domain/ports.ts";

/** How long this call's caller waits. */
export function limitsOf(context: Pick<HandlerContext, "signal" | "timeoutMs">): CallLimits {
  return countDown({ signal: context.signal, timeoutMs: context.timeoutMs() })();
}
