import { randomUUID } from "node:crypto";
import { KindredError } from "@kindred/errors";
import type { NewSession, Session, SessionStore } from "./session.ts";

/**
 * Begins a session, once however often and concurrently it is asked to.
 * @param request.sessionId empty: a new UUID
 * @param request.userId empty: nobody says, and a session that goes on may be anybody's
 * @throws KindredError already-exists when a session with this id has ended, or is not that of the user who is named.
 */
export async function startSession(
  deps: { sessions: SessionStore },
  request: NewSession,
): Promise<{ session: Session; existing: boolean }> {
  const sessionId = request.sessionId || randomUUID();
  const stored = await deps.sessions.insert({ ...request, sessionId });
  if (stored) return { session: stored, existing: false };
  const earlier = await deps.sessions.find(sessionId);
  if (!earlier) {
    throw new KindredError("aborted", "the session with this id was removed meanwhile", { retryAfterMs: 0 });
  }
  if (request.userId !== "" && earlier.userId !== request.userId) {
    throw new KindredError(
      "already-exists",
      `session ${JSON.stringify(sessionId)} is another user's: give this one an id of its own`,
    );
  }
  if (earlier.endMicros !== undefined) {
    throw new KindredError(
      "already-exists",
      `session ${JSON.stringify(sessionId)} has ended: begin one with another id`,
    );
  }
  return { session: earlier, existing: true };
}
