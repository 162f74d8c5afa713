import { expect, test } from "@jest/globals";
import { compareVersions, detectCapabilities } from "./capabilities.ts";

test.each([
  ["0.8.2", "0.8.4", -1],
  ["0.8.10", "0.8.4", 1],
  ["0.8", "0.8.0", 0],
  ["17", "9.6", 1],
  ["18beta1", "18", 0],
])("%s against %s", (a, b, sign) => {
  expect(Math.sign(compareVersions(a, b))).toBe(sign);
  expect(Math.sign(compareVersions(b, a))).toBe(-sign + 0);
});

/** A connection that answers what detection asks, as a server of that kind would. */
function connection(server: { number: number; pid: number; version: string }) {
  const answers = [
    [/pg_backend_pid/, { pid: server.pid }],
    [/server_version_num/, { number: server.number, version: "17.9 (x)", available: null, extensions: null }],
    [/version\(\)/, { version: server.version }],
  ] as const;
  return {
    query: (sql: string) => Promise.resolve({ rows: [answers.find(([pattern]) => pattern.test(sql))?.[1]] }),
  } as unknown as Parameters<typeof detectCapabilities>[0];
}

test("two connections that a pooler serves by one backend are not relied on to be two", async () => {
  const server = { number: 170009, version: "PostgreSQL 17.9 on x86_64-pc-linux-gnu" };
  const apart = await detectCapabilities(
    connection({ ...server, pid: 1 }),
    connection({ ...server, pid: 2 }),
    { sessionBy: "startup" },
  );
  expect(apart).toMatchObject({
    serverVersion: "17.9",
    copy: true,
    advisoryLocks: true,
    concurrentSessions: true,
    preparedStatements: true,
  });
  const pooled = await detectCapabilities(
    connection({ ...server, pid: 1 }),
    connection({ ...server, pid: 2 }),
    { sessionBy: "statements" },
  );
  expect(pooled).toMatchObject({ concurrentSessions: true, preparedStatements: false });
  const shared = await detectCapabilities(
    connection({ ...server, pid: 1 }),
    connection({ ...server, pid: 1 }),
    { sessionBy: "startup" },
  );
  expect(shared).toMatchObject({
    copy: false,
    advisoryLocks: false,
    concurrentSessions: false,
    preparedStatements: false,
  });
});

test("a server that is too old is refused", async () => {
  const old = { number: 140012, version: "PostgreSQL 14.12" };
  const detecting = detectCapabilities(connection({ ...old, pid: 1 }), connection({ ...old, pid: 2 }), {
    sessionBy: "startup",
  });
  await expect(detecting).rejects.toMatchObject({ kind: "failed-precondition" });
});
