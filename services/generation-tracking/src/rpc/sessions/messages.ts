import { create } from "@bufbuild/protobuf";
import { SessionSchema, type Session as SessionMessage } from "@kindred/contracts/generation-tracking/v1";
import { timestampOf, type FieldChecks } from "@kindred/rpc";
import type { Session } from "../../domain/sessions/session.ts";
import { durationOf } from "./durations.ts";

/** The widths of the columns, in code points. */
export const MAX_ID_CHARACTERS = 100;

export function toSessionMessage(session: Session): SessionMessage {
  const { endMicros, idleTimeoutMicros, data } = session;
  return create(SessionSchema, {
    sessionId: session.sessionId,
    userId: session.userId,
    startTime: timestampOf(session.startMicros),
    ...(endMicros === undefined ? {} : { endTime: timestampOf(endMicros) }),
    totalRequests: session.totalRequests,
    totalGenerations: session.totalGenerations,
    ...(data === undefined ? {} : { sessionData: data }),
    lastSeen: timestampOf(session.lastSeenMicros),
    ...(idleTimeoutMicros === undefined ? {} : { idleTimeout: durationOf(idleTimeoutMicros) }),
    expired: session.expired,
  });
}

/** Of a call about one session. */
export function checkSessionId(sessionId: string, checks: FieldChecks): void {
  checks.text("session_id", sessionId, { required: true, maxCharacters: MAX_ID_CHARACTERS });
}
