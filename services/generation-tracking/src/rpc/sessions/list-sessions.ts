import type { ListSessionsRequest } from "@kindred/contracts/generation-tracking/v1";
import { startChecks, type FieldChecks } from "@kindred/rpc";
import { listSessions } from "../../domain/sessions/list-sessions.ts";
import type { SessionFilter, SessionStore } from "../../domain/sessions/session.ts";
import { microsOf } from "../timestamps.ts";
import { MAX_ID_CHARACTERS, toSessionMessage } from "./messages.ts";

const DEFAULT_PAGE_SIZE = 50;
const MAX_PAGE_SIZE = 1000;

export function listSessionsRpc(deps: { sessions: SessionStore }) {
  return async (request: ListSessionsRequest) => {
    const checks = startChecks();
    const pageSize = checks.count("page_size", request.pageSize, {
      max: MAX_PAGE_SIZE,
      zero: DEFAULT_PAGE_SIZE,
    });
    const filter = readFilter(request, checks);
    checks.throwIfAny();
    const page = await listSessions(deps, { filter, pageSize, pageToken: request.pageToken });
    return { sessions: page.sessions.map(toSessionMessage), nextPageToken: page.nextPageToken };
  };
}

function readFilter(request: ListSessionsRequest, checks: FieldChecks): SessionFilter {
  checks.text("user_id", request.userId, { maxCharacters: MAX_ID_CHARACTERS });
  const readTime = (field: string, time: ListSessionsRequest["startedAfter"]): bigint | undefined =>
    time && checks.time(field, time) ? microsOf(time) : undefined;
  const startedAfterMicros = readTime("started_after", request.startedAfter);
  const startedBeforeMicros = readTime("started_before", request.startedBefore);
  if (
    startedAfterMicros !== undefined &&
    startedBeforeMicros !== undefined &&
    startedAfterMicros > startedBeforeMicros
  ) {
    checks.add("started_after", "must not be later than started_before");
  }
  return {
    userId: request.userId || undefined,
    active: request.active,
    startedAfterMicros,
    startedBeforeMicros,
  };
}
