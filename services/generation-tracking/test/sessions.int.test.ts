import { durationFromMs, timestampFromDate, timestampMs, type Timestamp } from "@bufbuild/protobuf/wkt";
import { describe, expect, test } from "@jest/globals";
import type { Session } from "@kindred/contracts/generation-tracking/v1";
import { errorOf } from "@kindred/testing";
import { countGeneration } from "../src/adapters/postgres/session-counters.ts";
import { endIdleSessions } from "../src/domain/sessions/end-idle-sessions.ts";
import type { Fixture } from "./fixture.ts";
import { useFixture } from "./use-fixture.ts";

const fixture = useFixture();

type Requests = Parameters<Fixture["sessions"]["startSession"]>[0];

const start = async (request: Requests): Promise<Session> =>
  (await fixture.sessions.startSession(request)).session as Session;
const get = async (sessionId: string): Promise<Session> =>
  (await fixture.sessions.getSession({ sessionId })).session as Session;
const sweep = () => endIdleSessions({ sessions: fixture.sessionStore }, new AbortController().signal);
const ms = (time: Timestamp | undefined): number => timestampMs(time as Timestamp);

/** As if all sessions were so much older. */
async function age(interval: string): Promise<void> {
  await fixture.db.query(
    `UPDATE user_sessions
        SET start_time = start_time - $1::interval, last_seen = last_seen - $1::interval,
            end_time = end_time - $1::interval`,
    [interval],
  );
}

const kindOf = async (call: Promise<unknown>): Promise<string> => (await errorOf(call)).kind;

describe("starting", () => {
  test("everything that was given is kept; what was not has its default", async () => {
    const full = await start({
      sessionId: "🦘".repeat(100),
      userId: "ada",
      sessionData: { theme: "dark", nested: { list: [1, null, true] }, nothing: null },
      idleTimeout: durationFromMs(1_500),
    });
    expect(await get(full.sessionId)).toEqual(full);
    expect(full).toMatchObject({
      sessionId: "🦘".repeat(100),
      userId: "ada",
      sessionData: { theme: "dark", nested: { list: [1, null, true] }, nothing: null },
      idleTimeout: { seconds: 1n, nanos: 500_000_000 },
      totalRequests: 0n,
      totalGenerations: 0n,
      expired: false,
    });
    expect(full.endTime).toBeUndefined();
    expect(full.lastSeen).toEqual(full.startTime);
    expect(Math.abs(ms(full.startTime) - Date.now())).toBeLessThan(60_000);

    const bare = await start({});
    expect(bare.sessionId).toMatch(/^[0-9a-f-]{36}$/);
    expect(bare).toMatchObject({ userId: "", idleTimeout: { seconds: 1_800n, nanos: 0 } });
    expect(bare.sessionData).toBeUndefined();
  });

  test("starting it again returns it as it is, and changes nothing", async () => {
    const first = await start({ sessionId: "s", userId: "ada", sessionData: { a: 1 } });
    const again = await fixture.sessions.startSession({
      sessionId: "s",
      userId: "ada",
      sessionData: { b: 2 },
      idleTimeout: durationFromMs(5_000),
    });
    expect(again).toMatchObject({ existing: true, session: first });
  });

  test("an id that is somebody else's, or of a session that has ended, is taken", async () => {
    await start({ sessionId: "hers", userId: "ada" });
    expect(await kindOf(start({ sessionId: "hers", userId: "bob" }))).toBe("already-exists");
    expect(await start({ sessionId: "hers" })).toMatchObject({ userId: "ada" });
    await fixture.sessions.endSession({ sessionId: "hers" });
    expect(await kindOf(start({ sessionId: "hers", userId: "ada" }))).toBe("already-exists");
    await start({ sessionId: "idle", idleTimeout: durationFromMs(60_000) });
    await age("2 minutes");
    expect(await kindOf(start({ sessionId: "idle" }))).toBe("already-exists");
  });

  test("of twenty calls at once with one id, one begins it", async () => {
    const replies = await Promise.all(
      Array.from({ length: 20 }, () => fixture.sessions.startSession({ sessionId: "one", userId: "ada" })),
    );
    expect(replies.filter(({ existing }) => !existing)).toHaveLength(1);
    expect(new Set(replies.map(({ session }) => ms(session?.startTime))).size).toBe(1);
  });
});

describe("touching", () => {
  test("counts one request, or as many as it says, none too", async () => {
    await start({ sessionId: "s" });
    await age("1 minute");
    const before = await get("s");
    await fixture.sessions.touchSession({ sessionId: "s" });
    await fixture.sessions.touchSession({ sessionId: "s", requests: 1_000_000 });
    const { session } = await fixture.sessions.touchSession({ sessionId: "s", requests: 0 });
    expect(session?.totalRequests).toBe(1_000_001n);
    expect(ms(session?.lastSeen)).toBeGreaterThanOrEqual(ms(before.lastSeen) + 60_000);
    expect(session).toEqual(await get("s"));
  });

  test("a thousand touches from fifty clients all count", async () => {
    await start({ sessionId: "busy" });
    await Promise.all(
      Array.from({ length: 50 }, async () => {
        for (let i = 0; i < 20; i++) await fixture.sessions.touchSession({ sessionId: "busy" });
      }),
    );
    expect((await get("busy")).totalRequests).toBe(1_000n);
  }, 120_000);

  test("members are set and removed, those of calls at once too", async () => {
    await start({ sessionId: "s", sessionData: { keep: 1, change: { old: true }, drop: "x" } });
    await Promise.all([
      fixture.sessions.touchSession({ sessionId: "s", sessionData: { change: { new: [null] }, drop: null } }),
      ...Array.from({ length: 20 }, (_, i) =>
        fixture.sessions.touchSession({ sessionId: "s", sessionData: { [`m${i}`]: i, absent: null } }),
      ),
    ]);
    const { sessionData, totalRequests } = await get("s");
    expect(totalRequests).toBe(21n);
    expect(sessionData).toEqual({
      keep: 1,
      change: { new: [null] },
      ...Object.fromEntries(Array.from({ length: 20 }, (_, i) => [`m${i}`, i])),
    });
  });

  test("data that became too large is refused, and nothing is counted", async () => {
    const half = "x".repeat(600_000);
    await start({ sessionId: "s", sessionData: { a: half } });
    expect(await kindOf(fixture.sessions.touchSession({ sessionId: "s", sessionData: { b: half } }))).toBe(
      "invalid-argument",
    );
    const session = await get("s");
    expect(session.totalRequests).toBe(0n);
    expect(Object.keys(session.sessionData ?? {})).toEqual(["a"]);
    // In the place of the old value there is room for it.
    await fixture.sessions.touchSession({ sessionId: "s", sessionData: { b: half, a: null } });
  });

  test("what is not there, and what has ended", async () => {
    const touch = (sessionId: string) => kindOf(fixture.sessions.touchSession({ sessionId }));
    expect(await touch("nobody's")).toBe("not-found");
    await start({ sessionId: "ended" });
    await fixture.sessions.endSession({ sessionId: "ended" });
    expect(await touch("ended")).toBe("failed-precondition");
    expect((await get("ended")).totalRequests).toBe(0n);
  });
});

describe("ending", () => {
  test("ends it once: ending it again returns it as it ended", async () => {
    await start({ sessionId: "s" });
    const { session: ended } = await fixture.sessions.endSession({ sessionId: "s" });
    expect(ended).toMatchObject({ sessionId: "s", expired: false });
    expect(ms(ended?.endTime)).toBeGreaterThanOrEqual(ms(ended?.startTime));
    expect((await fixture.sessions.endSession({ sessionId: "s" })).session).toEqual(ended);
    expect(await kindOf(fixture.sessions.endSession({ sessionId: "other" }))).toBe("not-found");
    expect(await kindOf(get("other"))).toBe("not-found");
  });

  test("who was silent too long has ended to the microsecond, before and after it is written down", async () => {
    await start({ sessionId: "idle", idleTimeout: durationFromMs(60_000) });
    await start({ sessionId: "lively", idleTimeout: durationFromMs(3_600_000) });
    await age("61 seconds");
    const before = await get("idle");
    expect(before.expired).toBe(true);
    expect(ms(before.endTime)).toBe(ms(before.lastSeen) + 60_000);
    expect(await kindOf(fixture.sessions.touchSession({ sessionId: "idle" }))).toBe("failed-precondition");
    expect((await get("lively")).endTime).toBeUndefined();

    expect(await sweep()).toBe(1);
    expect(await get("idle")).toEqual(before);
    const { rows } = await fixture.db.query(
      "SELECT session_id, expired, end_time = last_seen + idle_timeout AS exact FROM user_sessions ORDER BY session_id",
    );
    expect(rows).toEqual([
      { session_id: "idle", expired: true, exact: true },
      { session_id: "lively", expired: false, exact: null },
    ]);
    expect(await sweep()).toBe(0);
  });

  test("ending one whose time is over leaves it as it ended", async () => {
    await start({ sessionId: "idle", idleTimeout: durationFromMs(60_000) });
    await age("61 seconds");
    const { session } = await fixture.sessions.endSession({ sessionId: "idle" });
    expect(session?.expired).toBe(true);
    expect(ms(session?.endTime)).toBe(ms(session?.lastSeen) + 60_000);
  });

  test("more than a statement ends, and not those that were written by hand", async () => {
    await fixture.db.query(`
      INSERT INTO user_sessions (session_id, idle_timeout, start_time)
      SELECT 'idle ' || i, INTERVAL '1 minute', now() - INTERVAL '1 hour' FROM generate_series(1, 2500) AS i`);
    await fixture.db.query(
      "INSERT INTO user_sessions (session_id, start_time) VALUES ('by hand', '2020-01-01T00:00:00Z')",
    );
    expect(await sweep()).toBe(2_500);
    const { rows } = await fixture.db.query("SELECT session_id FROM user_sessions WHERE end_time IS NULL");
    expect(rows).toEqual([{ session_id: "by hand" }]);
    const byHand = await get("by hand");
    expect([byHand.endTime, byHand.idleTimeout, byHand.sessionData]).toEqual([
      undefined,
      undefined,
      undefined,
    ]);
    expect(byHand.lastSeen).toEqual(byHand.startTime);
    expect((await fixture.sessions.touchSession({ sessionId: "by hand" })).session?.totalRequests).toBe(1n);
  });

  test("a sweep waits for nobody who changes a session", async () => {
    if (!fixture.db.capabilities.concurrentSessions) {
      process.stdout.write("not run: a row that somebody else locks, which needs sessions of their own\n");
      return;
    }
    await start({ sessionId: "locked", idleTimeout: durationFromMs(60_000) });
    await start({ sessionId: "free", idleTimeout: durationFromMs(60_000) });
    await age("61 seconds");
    await fixture.db.transaction(async (client) => {
      await client.query("SELECT 1 FROM user_sessions WHERE session_id = 'locked' FOR UPDATE");
      expect(await sweep()).toBe(1);
    });
    expect(await sweep()).toBe(1);
  });
});

describe("generations of a session", () => {
  const count = (sessionId: string) => fixture.db.transaction((client) => countGeneration(client, sessionId));

  test("are counted in the transaction that records them: all of those that are kept", async () => {
    await start({ sessionId: "s" });
    await age("1 minute");
    const before = await get("s");
    const outcomes = await Promise.allSettled(
      Array.from({ length: 100 }, (_, i) =>
        fixture.db.transaction(async (client) => {
          await countGeneration(client, "s");
          if (i % 4 === 0) throw new Error("undone");
        }),
      ),
    );
    expect(outcomes.filter(({ status }) => status === "fulfilled")).toHaveLength(75);
    const session = await get("s");
    expect(session.totalGenerations).toBe(75n);
    expect(ms(session.lastSeen)).toBeGreaterThanOrEqual(ms(before.lastSeen) + 60_000);
  });

  test("keep it alive, but do not wake one that has ended; they count all the same", async () => {
    await start({ sessionId: "idle", idleTimeout: durationFromMs(60_000) });
    await start({ sessionId: "ended" });
    await fixture.sessions.endSession({ sessionId: "ended" });
    await age("59 seconds");
    await count("idle");
    await age("59 seconds");
    await count("idle");
    expect((await get("idle")).endTime).toBeUndefined();
    await age("61 seconds");
    const over = await get("idle");
    await count("idle");
    expect(await get("idle")).toEqual({ ...over, totalGenerations: 3n });
    const ended = await get("ended");
    await count("ended");
    expect(await get("ended")).toEqual({ ...ended, totalGenerations: 1n });
    await count("nobody's");
  });

  test("that are recorded and started by calls of twenty clients", async () => {
    await start({ sessionId: "s" });
    await Promise.all(
      Array.from({ length: 20 }, async (_, client) => {
        for (let n = 0; n < 5; n++) {
          // Keys come twice: a retry counts nothing.
          const which = (5 * client + n) % 60;
          const request = {
            generation: { prompt: `p${which}`, sessionId: "s" },
            idempotencyKey: `key ${which}`,
          };
          if (which < 30) await fixture.client.recordGeneration(request);
          else await fixture.client.startGeneration(request);
        }
      }),
    );
    expect((await get("s")).totalGenerations).toBe(60n);
  }, 120_000);
});

describe("listing", () => {
  test("the latest begun first, page by page, whatever begins and ends meanwhile", async () => {
    for (let i = 0; i < 25; i++) await start({ sessionId: `s${i}`, userId: i % 2 ? "odd" : "even" });
    // Several begin at one moment.
    await fixture.db.query("UPDATE user_sessions SET start_time = date_trunc('minute', start_time)");
    const seen: string[] = [];
    let pageToken = "";
    do {
      const page = await fixture.sessions.listSessions({ pageSize: 4, pageToken });
      seen.push(...page.sessions.map(({ sessionId }) => sessionId));
      pageToken = page.nextPageToken;
      await start({ sessionId: `later ${seen.length}` });
      await fixture.sessions.endSession({ sessionId: seen[0] as string });
    } while (pageToken !== "");
    expect(seen).toHaveLength(25);
    expect(new Set(seen)).toEqual(new Set(Array.from({ length: 25 }, (_, i) => `s${i}`)));
  });

  test("by user, by whether they go on, by when they began", async () => {
    const list = async (request: Parameters<Fixture["sessions"]["listSessions"]>[0]) =>
      (await fixture.sessions.listSessions(request)).sessions.map(({ sessionId }) => sessionId);
    await start({ sessionId: "idle", userId: "ada", idleTimeout: durationFromMs(60_000) });
    await age("2 hours");
    const between = timestampFromDate(new Date(Date.now() - 3_600_000));
    await start({ sessionId: "ended", userId: "ada" });
    await start({ sessionId: "on", userId: "ada" });
    await start({ sessionId: "bob's", userId: "bob" });
    await fixture.sessions.endSession({ sessionId: "ended" });
    expect(await list({})).toEqual(["bob's", "on", "ended", "idle"]);
    expect(await list({ userId: "ada" })).toEqual(["on", "ended", "idle"]);
    expect(await list({ active: true })).toEqual(["bob's", "on"]);
    expect(await list({ active: false })).toEqual(["ended", "idle"]);
    expect(await list({ active: true, userId: "ada" })).toEqual(["on"]);
    expect(await list({ startedBefore: between })).toEqual(["idle"]);
    expect(await list({ startedAfter: between, active: false })).toEqual(["ended"]);
    expect(await list({ userId: "nobody" })).toEqual([]);
  });

  test("a token goes with the conditions that it was given for", async () => {
    for (let i = 0; i < 3; i++) await start({ userId: "ada" });
    const { nextPageToken: pageToken } = await fixture.sessions.listSessions({ pageSize: 1, userId: "ada" });
    const refused = { userId: "bob", pageToken };
    expect(await kindOf(fixture.sessions.listSessions(refused))).toBe("invalid-argument");
    expect(await kindOf(fixture.sessions.listSessions({ pageToken: "x" }))).toBe("invalid-argument");
    const next = await fixture.sessions.listSessions({ pageSize: 2, userId: "ada", pageToken });
    expect([next.sessions.length, next.nextPageToken]).toEqual([2, ""]);
  });
});
