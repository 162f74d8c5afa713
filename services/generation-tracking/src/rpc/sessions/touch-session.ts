import type { TouchSessionRequest } from "@kindred/contracts/generation-tracking/v1";
import { startChecks } from "@kindred/rpc";
import type { SessionStore } from "../../domain/sessions/session.ts";
import { touchSession } from "../../domain/sessions/touch-session.ts";
import { checkJsonObject } from "../json-checks.ts";
import { checkSessionId, toSessionMessage } from "./messages.ts";

const MAX_REQUESTS = 1_000_000;

export function touchSessionRpc(deps: { sessions: SessionStore }) {
  return async ({ sessionId, requests = 1, sessionData }: TouchSessionRequest) => {
    const checks = startChecks();
    checkSessionId(sessionId, checks);
    if (requests < 0 || requests > MAX_REQUESTS)
      checks.add("requests", `must be 0 to ${MAX_REQUESTS}, is ${requests}`);
    if (sessionData) checkJsonObject(sessionData, "session_data", checks);
    checks.throwIfAny();
    const session = await touchSession(deps, { sessionId, requests, data: sessionData });
    return { session: toSessionMessage(session) };
  };
}
