import { KindredError } from "@kindred/errors";

export function noSession(sessionId: string): KindredError {
  return new KindredError("not-found", `there is no session ${JSON.stringify(sessionId)}`);
}
