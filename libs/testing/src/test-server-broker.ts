import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { messageOf } from "@kindred/errors";
import {
  startTestServer,
  testServerSettings,
  type RunningTestServer,
  type TestServer,
} from "./test-server.ts";

/** Where workers ask for the run's database server; the URL holds a secret. */
export const BROKER_VARIABLE = "KINDRED_TEST_SERVER_URL";

/** Holds the one database server of a test run, which starts when the first test asks for it. */
export interface TestServerBroker extends AsyncDisposable {
  readonly url: string;
}

/** Starts at the first call, once. */
function lazyServer(): { get: () => Promise<RunningTestServer>; [Symbol.asyncDispose]: () => Promise<void> } {
  let starting: Promise<RunningTestServer> | undefined;
  return {
    get: () => {
      starting ??= startTestServer(testServerSettings()).then((running) => {
        process.stderr.write(`test database: ${running.description}\n`);
        return running;
      });
      return starting;
    },
    [Symbol.asyncDispose]: async () => {
      const running = await starting?.catch(() => undefined);
      await running?.[Symbol.asyncDispose]();
    },
  };
}

/** Runs in jest's main process, so that all of its workers share one server. */
export async function startTestServerBroker(): Promise<TestServerBroker> {
  const database = lazyServer();
  const path = `/${randomBytes(12).toString("hex")}`;
  const server = createServer((request, response) => {
    if (request.url !== path) {
      response.writeHead(404).end();
      return;
    }
    database.get().then(
      (running) => response.end(JSON.stringify(running.server)),
      (error: unknown) => response.writeHead(503).end(messageOf(error)),
    );
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  server.unref();
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}${path}`,
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections();
      server.close();
      await database[Symbol.asyncDispose]();
    },
  };
}

let own: ReturnType<typeof lazyServer> | undefined;

/** The run's server; outside of jest this process's own, which ends with it. */
export async function sharedTestServer(): Promise<TestServer> {
  const url = process.env[BROKER_VARIABLE];
  if (url === undefined) {
    own ??= lazyServer();
    return (await own.get()).server;
  }
  const response = await fetch(url);
  const text = await response.text();
  if (!response.ok) throw new Error(text);
  return JSON.parse(text) as TestServer;
}
