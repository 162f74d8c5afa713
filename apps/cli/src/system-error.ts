/** What a connection ends with when the other side is not there, or no longer. */
const NETWORK_CODES = new Set([
  "EAI_AGAIN",
  "ECONNABORTED",
  "ECONNREFUSED",
  "ECONNRESET",
  "EHOSTUNREACH",
  "ENETUNREACH",
  "ENOTFOUND",
  "EPIPE",
  "ERR_STREAM_PREMATURE_CLOSE",
  "ETIMEDOUT",
]);

/** The code of an error of the system or of Node, or of what caused it, e.g. "ECONNREFUSED". */
export function systemCodeOf(error: unknown): string | undefined {
  for (let current = error; Error.isError(current); current = current.cause) {
    const { code } = current as { code?: unknown };
    if (typeof code === "string" && /^E[A-Z_]+$/.test(code)) return code;
  }
  return undefined;
}

/** Whether the connection is at fault, and not what was sent over it. */
export function isNetworkCode(code: string): boolean {
  return NETWORK_CODES.has(code);
}
