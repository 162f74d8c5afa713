import { createClient } from "@connectrpc/connect";
import { expect, test } from "@jest/globals";
import { SessionService } from "@kindred/contracts/generation-tracking/v1";
import { createInMemoryTransport } from "@kindred/rpc";
import { badFieldsOf, silentLogger, untouchable } from "@kindred/testing";
import type { SessionStore } from "../../domain/sessions/session.ts";
import { addSessionService } from "./routes.ts";

/** Bad input is refused before a store is asked. */
const store = untouchable<SessionStore>("the store");
const client = createClient(
  SessionService,
  createInMemoryTransport((router) => addSessionService(router, { sessions: store, idleTimeoutMs: 1 }), {
    logger: silentLogger(),
  }),
);

const LONG = "x".repeat(101);
const idle = (seconds: bigint, nanos = 0) => client.startSession({ idleTimeout: { seconds, nanos } });

test.each<[string, () => Promise<unknown>, string[]]>([
  [
    "texts that are too long or hold NUL, everywhere",
    () => client.startSession({ sessionId: LONG, userId: "a\0", sessionData: { a: ["\0"], "\0": 1 } }),
    ["session_id", "user_id", "session_data.a[0]", "session_data"],
  ],
  ["too much data", () => client.startSession({ sessionData: { a: "x".repeat(2 ** 20) } }), ["session_data"]],
  ["too short a time", () => idle(0n, 999_999_999), ["idle_timeout"]],
  ["too long a time", () => idle(30n * 86_400n, 1_000), ["idle_timeout"]],
  ["what is no duration", () => idle(2n, -1), ["idle_timeout"]],
  ["no id", () => client.touchSession({}), ["session_id"]],
  ["requests below zero", () => client.touchSession({ sessionId: "s", requests: -1 }), ["requests"]],
  ["too many requests", () => client.touchSession({ sessionId: "s", requests: 1_000_001 }), ["requests"]],
  ["nothing to end", () => client.endSession({}), ["session_id"]],
  ["nothing to get", () => client.getSession({ sessionId: LONG }), ["session_id"]],
  [
    "a page that cannot be, and times that are none",
    () =>
      client.listSessions({
        pageSize: 1001,
        userId: LONG,
        startedAfter: { seconds: 10n ** 15n, nanos: 0 },
      }),
    ["page_size", "user_id", "started_after"],
  ],
  [
    "a span that ends before it begins",
    () => client.listSessions({ startedAfter: { seconds: 2n }, startedBefore: { seconds: 1n } }),
    ["started_after"],
  ],
])("%s", async (_, call, fields) => {
  expect(await badFieldsOf(call())).toEqual(fields);
});
