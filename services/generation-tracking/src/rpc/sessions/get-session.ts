import type { GetSessionRequest } from "@kindred/contracts/generation-tracking/v1";
import { startChecks } from "@kindred/rpc";
import { noSession } from "../../domain/sessions/no-session.ts";
import type { SessionStore } from "../../domain/sessions/session.ts";
import { checkSessionId, toSessionMessage } from "./messages.ts";

export function getSessionRpc(deps: { sessions: SessionStore }) {
  return async ({ sessionId }: GetSessionRequest) => {
    const checks = startChecks();
    checkSessionId(sessionId, checks);
    checks.throwIfAny();
    const session = await deps.sessions.find(sessionId);
    if (!session) throw noSession(sessionId);
    return { session: toSessionMessage(session) };
  };
}
