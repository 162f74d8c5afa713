import type { CallOptions } from "@connectrpc/connect";

/** The limits of a call as its client takes them: what is undefined is left out. */
export function callOptions({
  signal,
  timeoutMs,
}: {
  signal?: AbortSignal | undefined;
  timeoutMs?: number | undefined;
}): CallOptions {
  return { ...(signal && { signal }), ...(timeoutMs !== undefined && { timeoutMs }) };
}
