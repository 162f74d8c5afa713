import type { ConnectRouter } from "@connectrpc/connect";
import { SessionService } from "@kindred/contracts/generation-tracking/v1";
import { endSessionRpc } from "./end-session.ts";
import { getSessionRpc } from "./get-session.ts";
import { listSessionsRpc } from "./list-sessions.ts";
import { startSessionRpc, type StartSessionDeps } from "./start-session.ts";
import { touchSessionRpc } from "./touch-session.ts";

export type SessionDeps = StartSessionDeps;

export function addSessionService(router: ConnectRouter, deps: SessionDeps): void {
  router.service(SessionService, {
    startSession: startSessionRpc(deps),
    touchSession: touchSessionRpc(deps),
    endSession: endSessionRpc(deps),
    getSession: getSessionRpc(deps),
    listSessions: listSessionsRpc(deps),
  });
}
