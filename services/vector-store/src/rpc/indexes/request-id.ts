import type { FieldChecks } from "@kindred/rpc";
import { checkText } from "../text-checks.ts";

const MAX_CHARACTERS = 200;

/** Undefined for an empty one. */
export function readRequestId(requestId: string, checks: FieldChecks): string | undefined {
  checkText(checks, "request_id", requestId, { maxCharacters: MAX_CHARACTERS });
  return requestId || undefined;
}
