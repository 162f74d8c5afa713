import { once } from "node:events";
import { connect, createServer, type AddressInfo, type Socket } from "node:net";

/** A way to the server that can fall silent, as a network does when a firewall forgets a connection. */
export interface TcpProxy extends AsyncDisposable {
  /** The given URL, by way of this proxy. */
  readonly url: string;
  /** Everything on the connections of now is swallowed in both directions; later ones work. */
  silence(): void;
}

/**
 * @param intercept sees the first bytes of every connection; bytes that it returns are the answer, and the
 *   connection ends with them instead of reaching the server.
 */
export async function startProxy(
  serverUrl: string,
  intercept: (firstBytes: Buffer) => Buffer | undefined = () => undefined,
): Promise<TcpProxy> {
  const target = new URL(serverUrl);
  const sockets = new Set<Socket>();
  const live = new Set<{ silent: boolean }>();
  const server = createServer((client) => {
    const upstream = connect(Number(target.port), target.hostname);
    const link = { silent: false };
    live.add(link);
    let first = true;
    for (const socket of [client, upstream]) {
      sockets.add(socket);
      socket.on("error", () => {});
      socket.once("close", () => {
        sockets.delete(socket);
        if (!link.silent) (socket === client ? upstream : client).destroy();
      });
    }
    client.on("data", (bytes) => {
      const answer = first ? intercept(bytes) : undefined;
      first = false;
      if (answer) client.end(answer);
      else if (!link.silent) upstream.write(bytes);
    });
    upstream.on("data", (bytes) => {
      if (!link.silent) client.write(bytes);
    });
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const url = new URL(serverUrl);
  url.port = String((server.address() as AddressInfo).port);
  return {
    url: url.href,
    silence: () => {
      for (const link of live) link.silent = true;
    },
    [Symbol.asyncDispose]: async () => {
      server.close();
      for (const socket of sockets) socket.destroy();
      await once(server, "close");
    },
  };
}
