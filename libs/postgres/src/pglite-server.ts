// PGlite as a process of its own: `node pglite-server.ts`. Standard input brings one line of JSON, PgliteServerConfig,
// and then stays open for as long as its parent lives; standard output gives one line, PgliteReady, when it serves.
import { once } from "node:events";
import { createServer, type AddressInfo, type Server, type Socket } from "node:net";
import { createInterface } from "node:readline";
import { messageOf } from "@kindred/errors";
import { serveClient } from "./pglite/client-connection.ts";
import { startup } from "./pglite/messages.ts";
import { createTemplate, openPglite } from "./pglite/open-pglite.ts";
import { SharedBackend } from "./pglite/shared-backend.ts";

export type PgliteServerConfig =
  { task: "template"; dataDir: string } | { task: "serve"; dataDir: string; port: number; password: string };

export interface PgliteReady {
  port: number;
  server: string;
  vector: string;
}

async function serve(config: Extract<PgliteServerConfig, { task: "serve" }>): Promise<AsyncDisposable> {
  await using cleanup = new AsyncDisposableStack();
  const { db, ...versions } = await openPglite(config.dataDir);
  cleanup.defer(() => db.close());
  const greeting = Buffer.from(await db.execProtocolRaw(startup("postgres", "postgres")));
  const backend = cleanup.use(new SharedBackend(db));

  const server = createServer();
  const sockets = new Set<Socket>();
  server.on("connection", (socket) => {
    sockets.add(socket);
    socket.once("close", () => sockets.delete(socket));
    serveClient(socket, { backend, password: config.password, greeting, onBackendLost: endWith });
  });
  server.listen(config.port, "127.0.0.1");
  await once(server, "listening");
  cleanup.defer(() => closeServer(server, sockets));

  const ready: PgliteReady = { port: (server.address() as AddressInfo).port, ...versions };
  process.stdout.write(`${JSON.stringify(ready)}\n`);
  return cleanup.move();
}

/** A backend that has ended cannot be used again within its process; our parent starts another one. */
function endWith(error: unknown): void {
  process.stderr.write(`Error: PGlite has ended: ${messageOf(error)}\n`);
  process.kill(process.pid, "SIGKILL");
}

async function closeServer(server: Server, sockets: ReadonlySet<Socket>): Promise<void> {
  const closed = once(server, "close");
  server.close();
  for (const socket of sockets) socket.destroy();
  await closed;
}

const input = createInterface({ input: process.stdin });
const [line] = (await once(input, "line")) as [string];
const config = JSON.parse(line) as PgliteServerConfig;
if (config.task === "template") await createTemplate(config.dataDir);
else {
  const serving = await serve(config);
  const asked = new AbortController();
  process.once("SIGTERM", () => asked.abort());
  await Promise.race([once(input, "close"), once(asked.signal, "abort")]);
  await serving[Symbol.asyncDispose]();
}
process.stdin.destroy();
