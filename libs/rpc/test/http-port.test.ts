import { connect } from "node:net";
import { text } from "node:stream/consumers";
import { gzipSync } from "node:zlib";
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import type { RpcServer } from "../src/index.ts";
import { envelope, post, recordingLogger, start } from "./fixture.ts";

const { logger, lines } = recordingLogger();
let server: RpcServer;
beforeAll(async () => {
  server = await start(
    {
      read: ({ text: given }) => ({ text: `${given}!` }),
      write: ({ text: given }) => ({ text: given.repeat(100) }),
    },
    {
      env: { CORS_ORIGINS: "http://localhost:5173, https://kindred.example", MAX_MESSAGE_BYTES: "64KiB" },
      logger,
      httpRoutes: {
        "POST /v1/echo": (request, response) => {
          request.pipe(response);
        },
      },
    },
  );
});
afterAll(async () => server.drain());

const url = (path: string): string => `http://127.0.0.1:${server.httpPort}${path}`;

/** What the server answers to these very bytes. */
async function sendBytes(bytes: string): Promise<string> {
  const socket = connect(server.httpPort, "127.0.0.1");
  socket.write(bytes);
  return text(socket);
}

describe("what curl sees", () => {
  test("JSON by POST", async () => {
    const response = await post(server, "Write", '{"text":"a"}');
    expect([response.status, response.headers.get("content-type")]).toEqual([200, "application/json"]);
    expect(await response.json()).toEqual({ text: "a".repeat(100) });
  });

  test("reads by GET, and no writes", async () => {
    const message = encodeURIComponent('{"text":"a"}');
    const read = await fetch(url(`/probe.v1.ProbeService/Read?encoding=json&message=${message}&connect=v1`));
    expect(await read.json()).toEqual({ text: "a!" });
    const write = await fetch(
      url(`/probe.v1.ProbeService/Write?encoding=json&message=${message}&connect=v1`),
    );
    expect(write.status).toBe(405);
  });

  test("compressed requests are read, and responses are not compressed", async () => {
    const body = gzipSync('{"text":"a"}');
    const response = await post(server, "Write", body, "application/json", {
      "content-encoding": "gzip",
      "accept-encoding": "gzip",
    });
    expect(response.headers.get("content-encoding")).toBeNull();
    expect(await response.json()).toEqual({ text: "a".repeat(100) });
  });

  test("a compressed request that grows too large is refused", async () => {
    const bomb = gzipSync(JSON.stringify({ text: "a".repeat(2 ** 20) }));
    const response = await post(server, "Write", bomb, "application/json", { "content-encoding": "gzip" });
    expect(await response.json()).toMatchObject({ code: "resource_exhausted" });
  });

  test("GET /healthz", async () => {
    const response = await fetch(url("/healthz"));
    expect([response.status, await response.json()]).toEqual([200, { status: "SERVING" }]);
    server.setServing(false);
    expect((await fetch(url("/healthz"))).status).toBe(503);
    server.setServing(true);
  });

  test("health as a call", async () => {
    const response = await fetch(url("/grpc.health.v1.Health/Check"), {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: '{"service":"probe.v1.ProbeService"}',
    });
    expect(await response.json()).toEqual({ status: "SERVING" });
  });

  test("plain routes of the service, and 404 for the rest", async () => {
    expect(await (await fetch(url("/v1/echo?x"), { method: "POST", body: "hi" })).text()).toBe("hi");
    expect((await fetch(url("/v1/echo"))).status).toBe(404);
    expect((await post(server, "Nothing", "{}")).status).toBe(404);
  });

  test.each([
    ["application/json", "{}", { "connect-timeout-ms": "9999999999" }],
    ["application/grpc-web+proto", envelope(new Uint8Array()), { "grpc-timeout": "99999999H" }],
  ])("a time limit longer than any timer is not over at once: %s", async (type, body, header) => {
    const response = await post(server, "Write", body, type, header);
    expect(await response.text()).not.toContain("deadline");
    expect(response.headers.get("grpc-status") ?? "0").toBe("0");
  });
});

/** A request as a page of the origin makes it. */
const ask = (method: string, origin: string): Promise<Response> =>
  fetch(url("/probe.v1.ProbeService/Write"), {
    method,
    headers: {
      origin,
      ...(method === "OPTIONS"
        ? { "access-control-request-method": "POST" }
        : { "content-type": "application/json" }),
    },
    ...(method === "OPTIONS" ? {} : { body: "{}" }),
  });

describe("what a browser sees", () => {
  test("pages of the configured origins may ask, and read the answer", async () => {
    const preflight = await ask("OPTIONS", "https://kindred.example");
    expect(preflight.status).toBe(204);
    expect(preflight.headers.get("access-control-allow-origin")).toBe("https://kindred.example");
    expect(preflight.headers.get("access-control-allow-methods")).toBe("POST, GET");
    expect(preflight.headers.get("vary")).toBe("Origin");
    const allowed = preflight.headers.get("access-control-allow-headers")?.toLowerCase() ?? "";
    for (const header of ["connect-protocol-version", "connect-timeout-ms", "x-grpc-web", "traceparent"]) {
      expect(allowed).toContain(header);
    }
    const answer = await ask("POST", "http://localhost:5173");
    expect(answer.headers.get("access-control-allow-origin")).toBe("http://localhost:5173");
    expect(answer.headers.get("access-control-expose-headers")?.toLowerCase()).toContain("grpc-status");
  });

  test("pages of other origins may not", async () => {
    for (const method of ["OPTIONS", "POST"]) {
      const { headers } = await ask(method, "http://evil.example");
      expect(headers.get("access-control-allow-origin")).toBeNull();
      expect(headers.get("access-control-allow-headers")).toBeNull();
      // A cache must not hand this answer to an origin that may.
      expect(headers.get("vary")).toBe("Origin");
    }
  });

  test("with * all pages may", async () => {
    const open = await start({ write: () => ({}) }, { env: { CORS_ORIGINS: "*" } });
    const response = await fetch(`http://127.0.0.1:${open.httpPort}/healthz`, {
      headers: { origin: "http://x" },
    });
    expect(response.headers.get("access-control-allow-origin")).toBe("*");
    await response.text();
    await open.drain();
  });
});

describe("requests that are no good HTTP", () => {
  // connectNodeAdapter throws on these outside of any promise, which ends the process.
  test.each([
    ["a Host that is no host", "HTTP/1.1\r\nHost: [\r\nConnection: close"],
    ["no Host, as HTTP/1.0 allows", "HTTP/1.0"],
  ])("%s: 400, and the server lives on", async (_name, rest) => {
    const answer = await sendBytes(
      `POST /probe.v1.ProbeService/Write ${rest}\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}`,
    );
    expect(answer).toMatch(/^HTTP\/1.1 400 /);
    expect((await post(server, "Write", "{}")).status).toBe(200);
  });

  test("a caller that hangs up leaves no line but the call's own", async () => {
    lines.length = 0;
    const socket = connect(server.httpPort, "127.0.0.1");
    socket.write("POST /probe.v1.ProbeService/Write HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n");
    socket.write("Content-Type: application/json\r\n\r\n{");
    await new Promise((resolve) => setTimeout(resolve, 50));
    socket.destroy();
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect(lines.filter(({ level }) => level !== "debug")).toEqual([]);
  });
});
