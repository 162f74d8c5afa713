import { durationFromMs, timestampMs, type Timestamp } from "@bufbuild/protobuf/wkt";
import { expect, test } from "@jest/globals";
import { isKindredError } from "@kindred/errors";
import * as fc from "fast-check";
import { countGeneration } from "../src/adapters/postgres/session-counters.ts";
import { endIdleSessions } from "../src/domain/sessions/end-idle-sessions.ts";
import { useFixture } from "./use-fixture.ts";

const fixture = useFixture();

const sweep = () => endIdleSessions({ sessions: fixture.sessionStore }, new AbortController().signal);
const ms = (time: Timestamp | undefined): number => timestampMs(time as Timestamp);

/** What a call gives: a reply, or the kind of its error. */
async function outcomeOf<T>(call: Promise<T>): Promise<T | string> {
  try {
    return await call;
  } catch (error) {
    if (isKindredError(error)) return error.kind;
    throw error;
  }
}

/** Minutes; the clock of a run moves by tens of them, and so no test's own time makes a difference. */
const TIMEOUTS = [15, 35, 55];

interface Model {
  user: string;
  timeout: number;
  seenAt: number;
  endedAt: number | undefined;
  expired: boolean;
  requests: number;
  generations: number;
}

type Step =
  | { do: "start"; id: string; user: string; timeout: number }
  | { do: "touch"; id: string; requests: number }
  | { do: "generation" | "end"; id: string }
  | { do: "wait"; minutes: number }
  | { do: "sweep" };

const id = fc.constantFrom("a", "b", "c");
const steps: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 2,
    arbitrary: fc.record({
      do: fc.constant("start" as const),
      id,
      user: fc.constantFrom("", "ada", "bob"),
      timeout: fc.constantFrom(...TIMEOUTS),
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record({ do: fc.constant("touch" as const), id, requests: fc.integer({ min: 0, max: 3 }) }),
  },
  { weight: 2, arbitrary: fc.record({ do: fc.constantFrom("generation" as const, "end" as const), id }) },
  {
    weight: 3,
    arbitrary: fc.record({ do: fc.constant("wait" as const), minutes: fc.constantFrom(10, 20, 40) }),
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("sweep" as const) }) },
);

/** The contract in memory, by a clock of its own. Each step gives what the call has to give. */
class Sessions {
  readonly byId = new Map<string, Model>();
  now = 0;

  /** What is over has ended, whoever asks. */
  find(name: string): Model | undefined {
    const found = this.byId.get(name);
    if (found && found.endedAt === undefined && this.now >= found.seenAt + found.timeout)
      Object.assign(found, { endedAt: found.seenAt + found.timeout, expired: true });
    return found;
  }

  start({ id: name, user, timeout }: Step & { do: "start" }): string {
    const found = this.find(name);
    if (found) {
      const mayBe = user === "" || user === found.user;
      return mayBe && found.endedAt === undefined ? "existing" : "already-exists";
    }
    this.byId.set(name, {
      user,
      timeout,
      seenAt: this.now,
      endedAt: undefined,
      expired: false,
      requests: 0,
      generations: 0,
    });
    return "new";
  }

  touch(name: string, requests: number): string {
    const found = this.find(name);
    if (!found) return "not-found";
    if (found.endedAt !== undefined) return "failed-precondition";
    found.requests += requests;
    found.seenAt = this.now;
    return "ok";
  }

  generation(name: string): void {
    const found = this.find(name);
    if (!found) return;
    found.generations += 1;
    if (found.endedAt === undefined) found.seenAt = this.now;
  }

  end(name: string): string {
    const found = this.find(name);
    if (!found) return "not-found";
    found.endedAt ??= this.now;
    return "ok";
  }
}

async function run(model: Sessions, step: Step): Promise<void> {
  const { sessions } = fixture;
  switch (step.do) {
    case "start": {
      const { id: sessionId, user: userId } = step;
      const idleTimeout = durationFromMs(step.timeout * 60_000);
      const outcome = await outcomeOf(sessions.startSession({ sessionId, userId, idleTimeout }));
      const said = typeof outcome === "string" ? outcome : outcome.existing ? "existing" : "new";
      expect(said).toBe(model.start(step));
      return;
    }
    case "touch": {
      const { id: sessionId, requests } = step;
      const outcome = await outcomeOf(sessions.touchSession({ sessionId, requests }));
      expect(typeof outcome === "string" ? outcome : "ok").toBe(model.touch(sessionId, requests));
      return;
    }
    case "generation":
      await fixture.db.transaction((client) => countGeneration(client, step.id));
      model.generation(step.id);
      return;
    case "end": {
      const outcome = await outcomeOf(sessions.endSession({ sessionId: step.id }));
      expect(typeof outcome === "string" ? outcome : "ok").toBe(model.end(step.id));
      return;
    }
    case "wait":
      model.now += step.minutes;
      await fixture.db.query(
        `UPDATE user_sessions
            SET start_time = start_time - $1::interval, last_seen = last_seen - $1::interval,
                end_time = end_time - $1::interval`,
        [`${step.minutes} minutes`],
      );
      return;
    case "sweep":
      await sweep();
  }
}

/** In whole minutes before now; tests take less than half of one. */
const ago = (time: Timestamp | undefined): number => Math.round((Date.now() - ms(time)) / 60_000);

test("whatever is done in whatever order, sessions are what the contract says", async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(steps, { minLength: 5, maxLength: 25 }), async (plan) => {
      await fixture.db.query("DELETE FROM user_sessions");
      const model = new Sessions();
      for (const step of plan) await run(model, step);
      const { sessions } = await fixture.sessions.listSessions({});
      expect(sessions).toHaveLength(model.byId.size);
      for (const session of sessions) {
        const expected = model.find(session.sessionId) as Model;
        expect({
          requests: Number(session.totalRequests),
          generations: Number(session.totalGenerations),
          expired: session.expired,
          seen: ago(session.lastSeen),
          ended: session.endTime && ago(session.endTime),
        }).toEqual({
          requests: expected.requests,
          generations: expected.generations,
          expired: expected.expired,
          seen: model.now - expected.seenAt,
          ended: expected.endedAt === undefined ? undefined : model.now - expected.endedAt,
        });
      }
    }),
    { numRuns: 40, interruptAfterTimeLimit: 60_000 },
  );
}, 180_000);

test("touches, ends and sweeps at once: every touch that was taken counts, and none after the end", async () => {
  const ids = Array.from({ length: 20 }, (_, i) => `s${i}`);
  for (const sessionId of ids) await fixture.sessions.startSession({ sessionId });
  // They end while the calls below are under way, one after the other.
  await fixture.db.query(
    "UPDATE user_sessions SET last_seen = now(), idle_timeout = id % 20 * INTERVAL '10 ms' + INTERVAL '1 ms'",
  );
  const taken = new Map(ids.map((sessionId) => [sessionId, 0]));
  let ended = 0;
  await Promise.all([
    ...ids.map(async (sessionId, i) => {
      for (let n = 0; n < 30; n++) {
        const outcome = await outcomeOf(fixture.sessions.touchSession({ sessionId }));
        if (typeof outcome !== "string") taken.set(sessionId, (taken.get(sessionId) as number) + 1);
        else expect(outcome).toBe("failed-precondition");
        if (i % 5 === 0 && n === 15) await fixture.sessions.endSession({ sessionId });
      }
    }),
    (async () => {
      for (let n = 0; n < 30; n++) ended += await sweep();
    })(),
  ]);
  await new Promise((resolve) => setTimeout(resolve, 250));
  ended += await sweep();
  const { rows } = await fixture.db.query<{ session_id: string; requests: number; exact: boolean }>(`
    SELECT session_id, total_requests::int AS requests,
           CASE WHEN expired THEN end_time = last_seen + idle_timeout ELSE end_time >= last_seen END AS exact
      FROM user_sessions WHERE end_time IS NOT NULL`);
  expect(rows).toHaveLength(20);
  expect(rows.every(({ exact }) => exact)).toBe(true);
  expect(new Map(rows.map(({ session_id, requests }) => [session_id, requests]))).toEqual(taken);
  expect(ended).toBeLessThanOrEqual(20);
}, 60_000);
