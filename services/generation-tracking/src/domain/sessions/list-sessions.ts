import type { Session, SessionFilter, SessionStore } from "./session.ts";
import { decodeSessionToken, encodeSessionToken } from "./session-token.ts";

/**
 * One page of sessions, the latest begun first. Pages are stable: sessions that begin or end meanwhile neither shift them nor appear twice.
 * @param request.pageSize at least 1
 * @throws KindredError invalid-argument on `page_token`.
 */
export async function listSessions(
  deps: { sessions: SessionStore },
  request: { filter: SessionFilter; pageSize: number; pageToken: string },
): Promise<{ sessions: Session[]; nextPageToken: string }> {
  const { filter, pageSize } = request;
  const after = decodeSessionToken(filter, request.pageToken);
  // One more than asked for: it tells whether there is a next page.
  const found = await deps.sessions.list({ filter, after, limit: pageSize + 1 });
  const page = found.slice(0, pageSize);
  const last = page.at(-1);
  return {
    sessions: page.map(({ session }) => session),
    nextPageToken: found.length > pageSize && last ? encodeSessionToken(filter, last.position) : "",
  };
}
