import type { EndSessionRequest } from "@kindred/contracts/generation-tracking/v1";
import { startChecks } from "@kindred/rpc";
import { noSession } from "../../domain/sessions/no-session.ts";
import type { SessionStore } from "../../domain/sessions/session.ts";
import { checkSessionId, toSessionMessage } from "./messages.ts";

export function endSessionRpc(deps: { sessions: SessionStore }) {
  return async ({ sessionId }: EndSessionRequest) => {
    const checks = startChecks();
    checkSessionId(sessionId, checks);
    checks.throwIfAny();
    const session = await deps.sessions.end(sessionId);
    if (!session) throw noSession(sessionId);
    return { session: toSessionMessage(session) };
  };
}
