import { setTimeout as delay } from "node:timers/promises";
import { describe, expect, test } from "@jest/globals";
import { KindredError } from "@kindred/errors";
import type { Claim, OperationClaims, Outcome, Said, Standing } from "./operation-claims.ts";
import { plainOperation } from "./operation-fixture.ts";
import { OperationRunner, type RunnerDeps } from "./operation-runner.ts";
import type { Operation, OperationContext, OperationHandler } from "./operation.ts";

const AWAY = new KindredError("unavailable", "the database cannot be reached");
const FINE: Standing = { cancelRequested: false, subjectExists: true };

/** A database with some operations; what is written is kept in order. */
class FakeClaims implements OperationClaims {
  renewalsWait = false;
  /** What claims were asked to leave out, of the last one. */
  except: readonly bigint[] = [];
  readonly written: (
    ["said" | "checkpoint" | "setBack" | "handedBack", unknown] | ["finished", Outcome, Said]
  )[] = [];
  /** Thrown by whatever is asked. */
  trouble: Error | undefined;
  standing: Standing | undefined = FINE;
  readonly #waiting: Claim[];

  constructor(count = 1, claim: Partial<Claim> = {}) {
    this.#waiting = Array.from({ length: count }, (_, i) => ({
      operation: plainOperation({ kind: "index-build", id: BigInt(i + 1) }),
      owner: `owner ${i}`,
      cancelRequested: false,
      setbacks: 0,
      ...claim,
    }));
  }

  async claim(_kinds: unknown, _leaseMs: number, except: readonly bigint[]) {
    this.except = except;
    this.#throw();
    return this.#waiting.shift();
  }
  async renew() {
    this.#throw();
    return this.standing;
  }
  async say(_claim: Claim, said: Said) {
    this.#throw();
    this.written.push(["said", said]);
    return this.standing;
  }
  async checkpoint(_claim: Claim, state: unknown, { notes }: Said) {
    this.#throw();
    this.written.push(["checkpoint", state], ...notes.map((note) => ["said", { notes: [note] }] as never));
    return this.standing;
  }
  async setBack() {
    this.#throw();
    const setbacks = this.written.filter(([what]) => what === "setBack").length + 1;
    this.written.push(["setBack", setbacks]);
    return this.standing && { ...this.standing, setbacks };
  }
  async finish(_claim: Claim, outcome: Outcome, said: Said) {
    this.#throw();
    if (this.standing) this.written.push(["finished", outcome, said]);
    return this.standing !== undefined;
  }
  async handBack(_claim: Claim, said: Said) {
    this.#throw();
    this.written.push(["handedBack", said]);
  }

  of(what: string): unknown[] {
    return this.written.filter(([which]) => which === what).map(([, value]) => value);
  }

  #throw(): void {
    if (this.trouble) throw this.trouble;
  }
}

const quiet = { debug() {}, info() {}, warn() {}, error() {} };

function run(
  claims: OperationClaims,
  work: (context: OperationContext) => Promise<Operation["spec"]>,
  options: {
    cleanUp?: OperationHandler["cleanUp"];
    times?: RunnerDeps["times"];
    log?: RunnerDeps["log"];
  } = {},
): OperationRunner & { left: Promise<string | undefined> } {
  const left = Promise.withResolvers<string | undefined>();
  const runner = new OperationRunner({
    terms: { subject: "collection", kinds: { "index-build": "index build" } },
    claims,
    handlers: [{ kind: "index-build", run: work, cleanUp: options.cleanUp ?? (async () => {}) }],
    log: options.log ?? quiet,
    observer: { begun: () => {}, left: (_, state) => left.resolve(state) },
    times: { lookEvery: 5, sayEvery: 5, backoff: 1, ...options.times },
  });
  return Object.assign(runner, { left: left.promise });
}

async function aborted({ signal }: OperationContext): Promise<never> {
  await delay(2 ** 30, undefined, { signal }).catch(() => undefined);
  throw signal.reason;
}

test("what is said just before the end is written with it", async () => {
  const claims = new FakeClaims();
  await using runner = run(claims, async ({ report, note }) => {
    for (let done = 1; done <= 1000; done++) {
      report({ phase: "load", phaseNumber: 1, phaseCount: 1, done, total: 1000, unit: "rows" });
    }
    note("it was quick");
    return { rows: 1000 };
  });
  expect(await runner.left).toBe("succeeded");
  expect(claims.written).toEqual([
    [
      "finished",
      { state: "succeeded", result: { rows: 1000 } },
      { progress: expect.objectContaining({ done: 1000 }), notes: ["it was quick"] },
    ],
  ]);
});

test("reports are written some times a second, however many there are", async () => {
  const claims = new FakeClaims();
  await using runner = run(
    claims,
    async ({ report }) => {
      for (let done = 1; done <= 200; done++) {
        report({ phase: "load", phaseNumber: 1, phaseCount: 1, done, total: 200, unit: "rows" });
        await delay(1);
      }
      return {};
    },
    { times: { sayEvery: 50 } },
  );
  await runner.left;
  const said = claims.of("said").map((one) => (one as Said).progress?.done ?? 0);
  expect(said.length).toBeGreaterThan(0);
  expect(said.length).toBeLessThan(100);
  expect(said).toEqual(said.toSorted((a, b) => a - b));
});

test("four are done at a time", async () => {
  const claims = new FakeClaims(9);
  let [now, most, all] = [0, 0, 0];
  const done = Promise.withResolvers<void>();
  await using runner = run(claims, async () => {
    most = Math.max(most, ++now);
    await delay(10);
    now--;
    if (++all === 9) done.resolve();
    return {};
  });
  await done.promise;
  expect(await runner.left).toBe("succeeded");
  expect(most).toBe(4);
});

describe("when the database is away", () => {
  test("for a moment, nothing is lost", async () => {
    const claims = new FakeClaims();
    await using runner = run(claims, async ({ report }) => {
      claims.trouble = AWAY;
      report({ phase: "load", phaseNumber: 1, phaseCount: 1, done: 7, total: 9, unit: "rows" });
      await delay(50);
      setTimeout(() => (claims.trouble = undefined), 50);
      return { done: true };
    });
    expect(await runner.left).toBe("succeeded");
    // With the end, or before it: once.
    const progress = claims.written.map(([what, value, said]) =>
      what === "finished" ? said?.progress?.done : (value as Said).progress?.done,
    );
    expect(progress.filter((done) => done !== undefined)).toEqual([7]);
    expect(claims.of("finished")).toMatchObject([{ state: "succeeded" }]);
  });

  test("for longer than the lease, the handler is stopped, and nothing is undone", async () => {
    const claims = new FakeClaims();
    let reason: unknown;
    let cleaned = false;
    await using runner = run(
      claims,
      async (context) => {
        claims.trouble = AWAY;
        return await aborted(context).catch((error: unknown) => {
          reason = error;
          throw error;
        });
      },
      { times: { lease: 100, renewEvery: 20 }, cleanUp: async () => void (cleaned = true) },
    );
    expect(await runner.left).toBeUndefined();
    expect(reason).toMatchObject({ kind: "aborted" });
    expect(cleaned).toBe(false);
    expect(claims.written).toEqual([]);
  });

  test("and never answers, the handler is stopped as well", async () => {
    const claims = new FakeClaims();
    claims.renew = () => new Promise(() => {});
    const reason = Promise.withResolvers<unknown>();
    await using runner = run(
      claims,
      (context) =>
        aborted(context).catch((error: unknown) => {
          reason.resolve(error);
          throw error;
        }),
      { times: { lease: 100, renewEvery: 20 } },
    );
    expect(await reason.promise).toMatchObject({ kind: "aborted" });
    expect(await runner.left).toBeUndefined();
    expect(claims.written).toEqual([]);
  });
});

test("where renewals wait for the operation itself, a lease is not lost for coming late", async () => {
  const claims = new FakeClaims();
  claims.renewalsWait = true;
  const renewed = Promise.withResolvers<Standing>();
  claims.renew = () => renewed.promise;
  const excepted: (readonly bigint[])[] = [];
  await using runner = run(
    claims,
    async ({ signal }) => {
      await delay(300);
      excepted.push(claims.except);
      renewed.resolve(FINE);
      signal.throwIfAborted();
      return {};
    },
    { times: { lease: 100, renewEvery: 20 } },
  );
  expect(await runner.left).toBe("succeeded");
  // It must not be taken once more meanwhile.
  expect(excepted).toEqual([[1n]]);
});

test("what is said is written in its order, however long a write takes", async () => {
  const claims = new FakeClaims();
  const say = claims.say.bind(claims);
  claims.say = async (...said) => {
    await delay(30);
    return await say(...said);
  };
  await using runner = run(claims, async ({ note, checkpoint }) => {
    note("first");
    await delay(10);
    note("second");
    await checkpoint({});
    note("third");
    await delay(10);
    return {};
  });
  await runner.left;
  const notes = claims.written.flatMap(([what, value, said]) =>
    what === "said" ? (value as Said).notes : what === "checkpoint" ? ["checkpoint"] : (said?.notes ?? []),
  );
  expect(notes).toEqual(["first", "checkpoint", "second", "third"]);
});

describe("a shutdown", () => {
  test("interrupts, hands back with what was said, and undoes nothing", async () => {
    const claims = new FakeClaims();
    const begun = Promise.withResolvers<void>();
    let reason: unknown;
    let cleaned = false;
    const runner = run(
      claims,
      async (context) => {
        begun.resolve();
        return await aborted(context).catch((error: unknown) => {
          reason = error;
          context.note("interrupted");
          throw error;
        });
      },
      { cleanUp: async () => void (cleaned = true) },
    );
    await begun.promise;
    await runner[Symbol.asyncDispose]();
    expect(reason).toMatchObject({ kind: "unavailable" });
    expect(cleaned).toBe(false);
    expect(claims.written.at(-1)).toEqual(["handedBack", { progress: undefined, notes: ["interrupted"] }]);
  });

  test("does not wait for ever for a handler that does not end, and leaves the lease to run out", async () => {
    const claims = new FakeClaims();
    const begun = Promise.withResolvers<void>();
    const runner = run(
      claims,
      async () => {
        begun.resolve();
        return await new Promise(() => {});
      },
      { times: { closing: 20 } },
    );
    await begun.promise;
    await runner[Symbol.asyncDispose]();
    expect(claims.of("handedBack")).toEqual([]);
  });

  test("keeps what was finished in the same moment", async () => {
    const claims = new FakeClaims();
    const begun = Promise.withResolvers<void>();
    const runner = run(claims, async (context) => {
      begun.resolve();
      await aborted(context).catch(() => undefined);
      return { whole: true };
    });
    await begun.promise;
    await runner[Symbol.asyncDispose]();
    expect(claims.of("finished")).toEqual([{ state: "succeeded", result: { whole: true } }]);
  });
});

describe("cleaning up", () => {
  test("is tried again when trouble passes, and its failure is only logged", async () => {
    const logged: string[] = [];
    for (const [error, expected] of [
      [AWAY, 5],
      [new TypeError("a fault"), 1],
    ] as const) {
      const claims = new FakeClaims(1, { cancelRequested: true });
      let attempts = 0;
      await using runner = run(claims, async () => ({}), {
        cleanUp: async () => {
          attempts++;
          throw error;
        },
        log: { ...quiet, warn: (_, message) => void logged.push(message) },
      });
      expect(await runner.left).toBe("cancelled");
      expect(attempts).toBe(expected);
    }
    expect(new Set(logged)).toEqual(new Set(["what an operation has made could not be removed"]));
  });

  test("is left out where it may be what kills the process", async () => {
    const claims = new FakeClaims(1, { setbacks: 10 });
    await using runner = run(claims, async () => ({}), {
      cleanUp: async () => {
        throw new Error("cleaned up");
      },
    });
    expect(await runner.left).toBe("failed");
    expect(claims.of("finished")).toMatchObject([{ state: "failed", kind: "aborted" }]);
  });
});

test("a handler goes on from its last checkpoint after trouble", async () => {
  const claims = new FakeClaims();
  const seen: unknown[] = [];
  await using runner = run(claims, async ({ operation, checkpoint }) => {
    seen.push(operation.checkpoint);
    if (seen.length === 3) return {};
    await checkpoint({ run: seen.length });
    throw new KindredError("aborted", "deadlock");
  });
  expect(await runner.left).toBe("succeeded");
  expect(seen).toEqual([{}, { run: 1 }, { run: 2 }]);
});

test("a failure that a cancellation has brought about is none", async () => {
  const claims = new FakeClaims();
  await using runner = run(claims, async () => {
    // Told with the next word from the database only.
    claims.standing = { ...FINE, cancelRequested: true };
    throw new KindredError("failed-precondition", "the index is gone");
  });
  expect(await runner.left).toBe("cancelled");
});
