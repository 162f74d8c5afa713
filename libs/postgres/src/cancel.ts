import { connect } from "node:net";
import type { ClientBase } from "pg";

const CANCEL_REQUEST_CODE = 80877102;
const GIVE_UP_MS = 2000;

/** What `pg` knows of a connection's backend; set once the connection is established. */
interface BackendIdentity {
  host: string;
  port: number;
  processID: number | null;
  secretKey: number | null;
}

/**
 * Asks the server to interrupt what this connection's backend is doing (CancelRequest of the frontend/backend
 * protocol, section 53.2.8). It travels on a connection of its own that needs neither a login nor a free slot. It
 * is a request only: the statement may end on its own first, and then the connection's next statement may be hit,
 * so the connection should not be used for anything else afterwards.
 * @returns when the server has taken note, or after two seconds. Never rejects.
 */
export async function requestCancel(client: ClientBase): Promise<void> {
  const { host, port, processID, secretKey } = client as unknown as BackendIdentity;
  if (processID === null || secretKey === null) return;
  const packet = Buffer.alloc(16);
  packet.writeInt32BE(packet.length, 0);
  packet.writeInt32BE(CANCEL_REQUEST_CODE, 4);
  packet.writeInt32BE(processID, 8);
  packet.writeInt32BE(secretKey, 12);
  await new Promise<void>((resolve) => {
    const socket = host.startsWith("/") ? connect(`${host}/.s.PGSQL.${port}`) : connect(port, host);
    socket.setTimeout(GIVE_UP_MS, () => socket.destroy());
    socket.once("connect", () => socket.end(packet));
    // The server closes the connection when it has passed the signal on; a failure ends in "close" as well.
    socket.on("error", () => socket.destroy());
    socket.on("data", () => {});
    socket.once("close", () => resolve());
  });
}
