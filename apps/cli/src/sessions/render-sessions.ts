import { timestampDate, type Timestamp } from "@bufbuild/protobuf/wkt";
import type { Session } from "@kindred/contracts/generation-tracking/v1";
import { formatCount, formatMs, millisecondsOf } from "../terminal/format.ts";
import { renderPairs, renderTable, type Pair } from "../terminal/table.ts";
import type { Terminal } from "../terminal/terminal.ts";

export function renderSessions(terminal: Terminal, sessions: readonly Session[]): string {
  return renderTable(
    terminal,
    [
      { title: "session", shrinks: true },
      { title: "user" },
      { title: "began" },
      { title: "state" },
      { title: "seen" },
      { title: "requests", align: "right" },
      { title: "generations", align: "right" },
    ],
    sessions.map((session) => [
      session.sessionId,
      session.userId,
      timeOf(session.startTime),
      stateOf(session),
      timeOf(session.lastSeen),
      formatCount(session.totalRequests),
      formatCount(session.totalGenerations),
    ]),
  );
}

export function renderSession(terminal: Terminal, session: Session): string {
  const { idleTimeout, sessionData } = session;
  const optional: [string, string | undefined][] = [
    ["user", session.userId || undefined],
    ["ended", session.endTime && timeOf(session.endTime)],
    ["may be silent", idleTimeout && formatMs(millisecondsOf(idleTimeout))],
    ["data", sessionData && JSON.stringify(sessionData)],
  ];
  return renderPairs(terminal, [
    ["session", session.sessionId],
    ["state", stateOf(session)],
    ["began", timeOf(session.startTime)],
    ["last seen", timeOf(session.lastSeen)],
    ["requests", formatCount(session.totalRequests)],
    ["generations", formatCount(session.totalGenerations)],
    ...optional.flatMap(([name, value]): Pair[] => (value === undefined ? [] : [[name, value]])),
  ]);
}

function stateOf({ endTime, expired }: Session): string {
  if (!endTime) return "goes on";
  return expired ? "expired" : "ended";
}

/** Local time, to the second. */
function timeOf(time: Timestamp | undefined): string {
  return time ? timestampDate(time).toLocaleString("sv-SE") : "";
}
