import { connect, createServer, type ClientHttp2Session, type Http2Server } from "node:http2";
import type { AddressInfo } from "node:net";
import { once } from "node:events";
import { afterEach, expect, test } from "@jest/globals";
import { retireConnection } from "../src/retire-connection.ts";

const AGE_MS = 100;

let server: Http2Server;
let client: ClientHttp2Session;

afterEach(() => {
  client.destroy();
  server.close();
});

/** Answers at once, or keeps a call until `finish` is asked for. */
async function open(): Promise<{ finish: () => void }> {
  let finish = (): void => {};
  server = createServer();
  server.on("session", (session) => retireConnection(session, AGE_MS));
  server.on("stream", (stream, headers) => {
    stream.respond({ ":status": 200 });
    if (headers[":path"] === "/long") finish = () => stream.end("done");
    else stream.end("done");
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  client = connect(`http://127.0.0.1:${(server.address() as AddressInfo).port}`);
  await once(client, "connect");
  return { finish: () => finish() };
}

test("a connection on which nothing runs is closed at its age", async () => {
  await open();
  const call = client.request({ ":path": "/short" });
  call.resume();
  await once(call, "close");
  if (!client.closed) await once(client, "close");
  expect(client.closed).toBe(true);
});

test("a call that is longer than the age comes to its end, pings go on meanwhile, and then it is closed", async () => {
  const { finish } = await open();
  const call = client.request({ ":path": "/long" });
  await once(call, "response");
  await new Promise((resolve) => setTimeout(resolve, 3 * AGE_MS));
  expect([client.closed, call.closed]).toEqual([false, false]);
  await new Promise<void>((resolve, reject) => {
    client.ping((error) => (error ? reject(error) : resolve()));
  });
  finish();
  const [text] = (await once(call.setEncoding("utf8"), "data")) as [string];
  expect(text).toBe("done");
  if (!client.closed) await once(client, "close");
  expect(client.closed).toBe(true);
});
