import type { ServerHttp2Session } from "node:http2";

/**
 * Closes a connection that has reached an age, at the first moment when no call runs on it: so clients reconnect now and then, and replicas
 * that were added later get their share. grpc-js's own max_connection_age_ms ends calls that run for longer: it closes the session for new
 * streams, on which keepalive pings then fail, on either side, and a failed ping destroys the connection with all that is on it.
 */
export function retireConnection(session: ServerHttp2Session, ageMs: number): void {
  let calls = 0;
  let aged = false;
  const closeIfIdle = (): void => {
    if (aged && calls === 0 && !session.closed) session.close();
  };
  const timer = setTimeout(() => {
    aged = true;
    closeIfIdle();
  }, ageMs);
  timer.unref();
  session.on("stream", (stream) => {
    calls++;
    stream.once("close", () => {
      calls--;
      closeIfIdle();
    });
  });
  session.once("close", () => clearTimeout(timer));
}
