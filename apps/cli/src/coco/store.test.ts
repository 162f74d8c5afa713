import { once } from "node:events";
import { createServer, type AddressInfo, type Socket } from "node:net";
import { expect, test } from "@jest/globals";
import { freePorts } from "@kindred/process";
import { openClients } from "../clients.ts";
import { cocoStore } from "./store.ts";

const batch = { index: 0, captions: 0, pictures: [{ fileName: "1.jpg", width: 1, height: 1, captions: [] }] };

async function sendTo(port: number): Promise<unknown> {
  const clients = openClients({ url: `http://127.0.0.1:${port}`, timeoutMs: 5_000 });
  const store = cocoStore(clients, "coco-val2017", new Date(0));
  return await store.send(batch, new AbortController().signal).catch((error: unknown) => error);
}

test.each<[string, (socket: Socket) => void]>([
  ["is cut as soon as it is made", (socket) => socket.destroy()],
  ["is reset", (socket) => socket.resetAndDestroy()],
  ["is cut while the request is written", (socket) => socket.once("data", () => socket.destroy())],
  [
    "is cut in the middle of the answer",
    (socket) => {
      const head =
        "HTTP/1.1 200 OK\r\ncontent-type: application/connect+proto\r\ncontent-length: 100\r\n\r\n";
      socket.once("data", () => socket.end(head));
    },
  ],
])("a connection that %s counts as a service that is away", async (_, onConnection) => {
  const server = createServer((socket) => {
    socket.on("error", () => {});
    onConnection(socket);
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  expect(await sendTo((server.address() as AddressInfo).port)).toMatchObject({
    name: "KindredError",
    kind: "unavailable",
  });
  server.close();
});

test("so does one that cannot be made", async () => {
  const [port] = (await freePorts(1)) as [number];
  expect(await sendTo(port)).toMatchObject({
    kind: "unavailable",
    message: "the connection broke (ECONNREFUSED)",
  });
});
