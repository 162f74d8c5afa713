import type { StartSessionRequest } from "@kindred/contracts/generation-tracking/v1";
import { startChecks, type FieldChecks } from "@kindred/rpc";
import type { SessionStore } from "../../domain/sessions/session.ts";
import { startSession } from "../../domain/sessions/start-session.ts";
import { checkJsonObject } from "../json-checks.ts";
import { microsOfDuration } from "./durations.ts";
import { MAX_ID_CHARACTERS, toSessionMessage } from "./messages.ts";

const SECOND_MICROS = 1_000_000n;
const DAY_MICROS = 86_400n * SECOND_MICROS;

export interface StartSessionDeps {
  sessions: SessionStore;
  /** How long a session may be silent whose caller does not say. */
  idleTimeoutMs: number;
}

export function startSessionRpc(deps: StartSessionDeps) {
  return async (request: StartSessionRequest) => {
    const { sessionId, userId, sessionData } = request;
    const checks = startChecks();
    checks.text("session_id", sessionId, { maxCharacters: MAX_ID_CHARACTERS });
    checks.text("user_id", userId, { maxCharacters: MAX_ID_CHARACTERS });
    if (sessionData) checkJsonObject(sessionData, "session_data", checks);
    const idleTimeoutMicros =
      readIdleTimeout(request, checks) ?? BigInt(Math.ceil(1000 * deps.idleTimeoutMs));
    checks.throwIfAny();
    const { session, existing } = await startSession(deps, {
      sessionId,
      userId,
      data: sessionData,
      idleTimeoutMicros,
    });
    return { session: toSessionMessage(session), existing };
  };
}

function readIdleTimeout({ idleTimeout }: StartSessionRequest, checks: FieldChecks): bigint | undefined {
  if (!idleTimeout) return undefined;
  const micros = microsOfDuration(idleTimeout);
  if (micros === undefined || micros < SECOND_MICROS || micros > 30n * DAY_MICROS)
    checks.add("idle_timeout", "must be 1 second to 30 days");
  return micros;
}
