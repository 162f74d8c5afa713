import { pageTokens } from "@kindred/page-tokens";
import type { Session, SessionFilter, SessionStore } from "./session.ts";

/** Where each began, in microseconds since 1970, and its row. */
const tokens = pageTokens({ name: "sessions", position: ["integer", "integer"] });

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
  const begin = tokens.open(filter, request.pageToken);
  const after = begin && { startMicros: begin[0], rowId: begin[1] };
  // One more than asked for: it tells whether there is a next page.
  const found = await deps.sessions.list({ filter, after, limit: pageSize + 1 });
  const page = found.slice(0, pageSize);
  const last = page.at(-1)?.position;
  return {
    sessions: page.map(({ session }) => session),
    nextPageToken: found.length > pageSize && last ? tokens.seal(filter, [last.startMicros, last.rowId]) : "",
  };
}
