import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { createServer, type ServerResponse } from "node:http";
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

// Jest may load its setup and its teardown each on their own, with a copy each of this module.
const CURRENT = Symbol.for("kindred.test-server-broker");
const holder = globalThis as { [CURRENT]?: AsyncDisposable };

/** The broker of this process; undefined when none was started. */
export function currentBroker(): AsyncDisposable | undefined {
  return holder[CURRENT];
}

async function answer(database: LazyServer, response: ServerResponse): Promise<void> {
  try {
    const { server } = await database.get();
    response.end(JSON.stringify(server));
  } catch (error) {
    response.writeHead(503).end(messageOf(error));
  }
}

interface LazyServer extends AsyncDisposable {
  get(): Promise<RunningTestServer>;
}

async function startAndTell(): Promise<RunningTestServer> {
  const running = await startTestServer(testServerSettings());
  process.stderr.write(`test database: ${running.description}\n`);
  return running;
}

/** Starts at the first call, once. */
function lazyServer(): LazyServer {
  let starting: Promise<RunningTestServer> | undefined;
  return {
    get: () => {
      starting ??= startAndTell();
      return starting;
    },
    [Symbol.asyncDispose]: async () => {
      const running = await starting?.catch(() => undefined);
      await running?.[Symbol.asyncDispose]();
    },
  };
}

/**
 * Starts what holds the one database server of a test run: the server itself starts when the first test asks for it.
 * It runs in jest's main process; workers inherit the variable by which they find it.
 */
export async function startTestServerBroker(): Promise<void> {
  const database = lazyServer();
  const path = `/${randomBytes(12).toString("hex")}`;
  const server = createServer((request, response) => {
    if (request.url !== path) {
      response.writeHead(404).end();
      return;
    }
    void answer(database, response);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  server.unref();
  process.env[BROKER_VARIABLE] = `http://127.0.0.1:${(server.address() as AddressInfo).port}${path}`;
  holder[CURRENT] = {
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections();
      server.close();
      await database[Symbol.asyncDispose]();
    },
  };
}

/** A server to make databases on; give it back when the last of them is gone. */
export interface ServerLease extends AsyncDisposable {
  readonly server: TestServer;
}

const own = { leases: 0, server: lazyServer() };

/** The run's server; outside of jest this process's own, which ends when nobody holds a lease any more. */
export async function leaseTestServer(): Promise<ServerLease> {
  const url = process.env[BROKER_VARIABLE];
  if (url === undefined) return await leaseOwn();
  const response = await fetch(url);
  const text = await response.text();
  if (!response.ok) throw new Error(text);
  // The run's server ends with the run.
  return { server: JSON.parse(text) as TestServer, async [Symbol.asyncDispose]() {} };
}

async function leaseOwn(): Promise<ServerLease> {
  await using lease = new AsyncDisposableStack();
  const held = own.server;
  own.leases++;
  lease.defer(async () => {
    if (--own.leases > 0) return;
    own.server = lazyServer();
    await held[Symbol.asyncDispose]();
  });
  const { server } = await held.get();
  const given = lease.move();
  return { server, [Symbol.asyncDispose]: () => given.disposeAsync() };
}
