import { invalidField, KindredError } from "@kindred/errors";
import type { JsonObject } from "../generation.ts";
import { noSession } from "./no-session.ts";
import type { Session, SessionStore } from "./session.ts";

/** Of session_data as JSON. */
export const MAX_DATA_BYTES = 2 ** 20;

/**
 * Counts requests, and says that the session is alive.
 * @param request.data members to set; null removes one
 * @throws KindredError not-found; failed-precondition when it has ended; invalid-argument when its data became too large.
 */
export async function touchSession(
  deps: { sessions: SessionStore },
  request: { sessionId: string; requests: number; data: JsonObject | undefined },
): Promise<Session> {
  const { sessionId, requests, data = {} } = request;
  const members = Object.entries(data);
  const touched = await deps.sessions.touch(
    sessionId,
    {
      requests,
      set: Object.fromEntries(members.filter(([, value]) => value !== null)),
      removed: members.filter(([, value]) => value === null).map(([name]) => name),
    },
    checkSize,
  );
  if (touched) return touched;
  const found = await deps.sessions.find(sessionId);
  if (!found) throw noSession(sessionId);
  const name = `session ${JSON.stringify(sessionId)}`;
  throw new KindredError(
    "failed-precondition",
    found.endMicros === undefined
      ? `the session_data of ${name} is no object: it has no members to set`
      : `${name} has ended${found.expired ? ", for nobody had touched it" : ""}: begin another one`,
  );
}

function checkSize({ data }: Session): void {
  const bytes = Buffer.byteLength(JSON.stringify(data ?? {}));
  if (bytes > MAX_DATA_BYTES) {
    throw invalidField(
      "session_data",
      `must leave the session with at most ${MAX_DATA_BYTES} bytes of JSON, it would have ${bytes}`,
    );
  }
}
