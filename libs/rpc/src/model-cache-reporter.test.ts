import { setTimeout as sleep } from "node:timers/promises";
import { timestampFromDate } from "@bufbuild/protobuf/wkt";
import { afterEach, beforeEach, describe, expect, test } from "@jest/globals";
import { loadConfig } from "@kindred/config";
import { ModelCacheService, type ModelCacheEvent } from "@kindred/contracts/generation-tracking/v1";
import { KindredError, type ErrorKind } from "@kindred/errors";
import type { Logger } from "@kindred/telemetry";
import {
  openChannel,
  serve,
  serverSettings,
  startModelCacheReporter,
  type ModelCacheDestination,
  type ModelCacheEventInit,
  type ModelCacheState,
} from "./index.ts";

const HOURLY = 3_600_000;
const ERRORS: string[] = [];
const LOGGER = {
  debug: () => {},
  info: () => {},
  warn: () => {},
  error: (_: unknown, message: string) => ERRORS.push(message),
} as unknown as Logger;

let cleanup: AsyncDisposableStack;
let models: ModelCacheState[];
beforeEach(() => {
  cleanup = new AsyncDisposableStack();
  ERRORS.length = 0;
  models = [model("a"), model("b")];
});
afterEach(() => cleanup.disposeAsync());

function model(modelName: string, fields: Partial<ModelCacheState> = {}): ModelCacheState {
  return {
    modelType: "text-embedding",
    modelName,
    cachePath: `/cache/${modelName}`,
    sizeBytes: 1000,
    lastAccessed: undefined,
    accesses: 0,
    ...fields,
  };
}

/** A use of the model number `i`. */
function use(i: number, times = 1): void {
  const used = models[i] as ModelCacheState;
  models[i] = {
    ...used,
    accesses: used.accesses + times,
    lastAccessed: new Date(1_700_000_000_000 + used.accesses),
  };
}

function start(destination: ModelCacheDestination, everyMs = HOURLY) {
  const reporter = startModelCacheReporter({ read: () => models, everyMs, logger: LOGGER, ...destination });
  cleanup.use(reporter);
  return reporter;
}

async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await sleep(2);
}

/** Long enough for everything that a touch leads to without a network. */
const settled = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

/** A reporter to a function that keeps what it is given, and fails as long as `failure` says so. */
function recording() {
  const calls: [name: string, accesses: number][][] = [];
  const state: { failure: ErrorKind | undefined } = { failure: undefined };
  const events: ModelCacheEventInit[] = [];
  const reporter = start({
    deliver: (batch) => {
      calls.push(batch.map((event) => [event.modelName as string, event.accesses as number]));
      events.push(...batch);
      return state.failure ? Promise.reject(new KindredError(state.failure, "no")) : Promise.resolve();
    },
  });
  const report = async (): Promise<void> => {
    reporter.touch();
    await settled();
  };
  return { calls, events, state, reporter, report };
}

/** A service on real ports that keeps what is reported to it. */
async function trackingServer() {
  const received: ModelCacheEvent[] = [];
  const server = await serve({
    config: loadConfig(serverSettings({ grpcPort: 0, httpPort: 0 }), {}),
    logger: LOGGER,
    routes: (router) => {
      router.service(ModelCacheService, {
        reportModelCache: ({ events }) => {
          received.push(...events);
          return {};
        },
      });
    },
  });
  return cleanup.use({
    received,
    address: `127.0.0.1:${server.grpcPort}`,
    [Symbol.asyncDispose]: () => server[Symbol.asyncDispose](),
  });
}

describe("over the network", () => {
  test("a model is reported as it is, and its changes from time to time", async () => {
    const server = await trackingServer();
    models = [model("a", { sizeBytes: undefined })];
    start({ address: server.address }, 5).touch();
    await until(() => server.received.length === 1);
    expect(server.received[0]).toMatchObject({
      modelType: "text-embedding",
      modelName: "a",
      cachePath: "/cache/a",
      accesses: 0,
    });
    expect(server.received[0]?.sizeBytes).toBeUndefined();
    expect(server.received[0]?.lastAccessed).toBeUndefined();
    const lastAccessed = new Date(1_700_000_000_123);
    models = [model("a", { accesses: 3, lastAccessed, sizeBytes: 5_000_000_000 })];
    await until(() => server.received.length === 2);
    expect(server.received[1]).toMatchObject({
      accesses: 3,
      sizeBytes: 5_000_000_000n,
      lastAccessed: timestampFromDate(lastAccessed),
    });
  });

  test("a channel of the caller's stays open", async () => {
    const server = await trackingServer();
    const channel = cleanup.use(openChannel({ address: server.address }));
    for (const count of [2, 4]) {
      const reporter = start({ channel });
      reporter.touch();
      await until(() => server.received.length === count);
      await reporter[Symbol.asyncDispose]();
    }
    expect(server.received.map((event) => event.modelName)).toEqual(["a", "b", "a", "b"]);
  });
});

describe("what is reported", () => {
  test("only what has changed since, with the uses since", async () => {
    const { calls, report } = recording();
    use(0, 5);
    await report();
    await report();
    use(1);
    use(0, 2);
    await report();
    use(1, 4);
    await report();
    models.push(model("c"));
    await report();
    await report();
    expect(calls).toEqual([
      [
        ["a", 5],
        ["b", 0],
      ],
      [
        ["a", 2],
        ["b", 1],
      ],
      [["b", 4]],
      [["c", 0]],
    ]);
  });

  test("a new size without a use, and the same name elsewhere", async () => {
    const { events, report } = recording();
    await report();
    models = [model("a", { sizeBytes: 7 }), model("b", { cachePath: "/other" })];
    await report();
    expect(events.slice(2)).toMatchObject([
      { modelName: "a", sizeBytes: 7n, accesses: 0 },
      { modelName: "b", cachePath: "/other" },
    ]);
  });

  test("a count that was begun anew counts from zero", async () => {
    const { calls, report } = recording();
    models = [model("a", { accesses: 10 })];
    await report();
    models = [model("a", { accesses: 4 })];
    await report();
    expect(calls).toEqual([[["a", 10]], [["a", 4]]]);
  });

  test("more uses than an event holds are reported in several", async () => {
    const { calls, report } = recording();
    models = [model("a", { accesses: 2 ** 32 })];
    await report();
    await report();
    await report();
    await report();
    expect(calls).toEqual([[["a", 2 ** 31 - 1]], [["a", 2 ** 31 - 1]], [["a", 2]]]);
  });

  test("several touches at once are one look", async () => {
    let looks = 0;
    const reporter = startModelCacheReporter({
      read: () => {
        looks += 1;
        return [];
      },
      deliver: () => Promise.resolve(),
      logger: LOGGER,
    });
    cleanup.use(reporter);
    for (let i = 0; i < 10; i++) reporter.touch();
    await settled();
    expect(looks).toBe(1);
  });
});

describe("when it fails", () => {
  test("nothing is lost or doubled while the service is away", async () => {
    const { calls, state, report } = recording();
    models = [model("a")];
    state.failure = "unavailable";
    use(0, 3);
    await report();
    use(0, 4);
    await report();
    state.failure = undefined;
    use(0, 5);
    await report();
    await report();
    // The first event is tried until it is taken; what happened meanwhile is one event more.
    expect(calls).toEqual([[["a", 3]], [["a", 3]], [["a", 3]], [["a", 9]]]);
  });

  test("uses that were perhaps counted are not reported again, but the model is", async () => {
    const { calls, events, state, report } = recording();
    models = [model("a")];
    use(0, 3);
    state.failure = "deadline-exceeded";
    await report();
    state.failure = undefined;
    await report();
    await report();
    expect(calls).toEqual([[["a", 3]], [["a", 0]]]);
    expect(events[1]).toMatchObject({ sizeBytes: 1000n });
  });

  test("what the service refuses is not tried again", async () => {
    const { calls, state, report } = recording();
    state.failure = "invalid-argument";
    await report();
    await report();
    expect(calls).toHaveLength(1);
  });

  test("a state that cannot be read is logged, and read again", async () => {
    const events: ModelCacheEventInit[] = [];
    let looks = 0;
    const reporter = startModelCacheReporter({
      read: () => {
        if (looks++ === 0) throw new Error("not now");
        return models;
      },
      deliver: (batch) => Promise.resolve(events.push(...batch)),
      logger: LOGGER,
    });
    cleanup.use(reporter);
    reporter.touch();
    await settled();
    expect(ERRORS).toEqual(["the state of the model cache could not be read"]);
    reporter.touch();
    await settled();
    expect(events).toHaveLength(2);
  });

  test("disposing gives up a call that hangs, and nothing is read afterwards", async () => {
    let looks = 0;
    const called = Promise.withResolvers<void>();
    const reporter = startModelCacheReporter({
      read: () => {
        looks += 1;
        return models;
      },
      deliver: (_, signal) => {
        called.resolve();
        return new Promise((_resolve, reject) =>
          signal.addEventListener("abort", () => reject(signal.reason as Error)),
        );
      },
      logger: LOGGER,
    });
    reporter.touch();
    await called.promise;
    reporter.touch();
    await reporter[Symbol.asyncDispose]();
    reporter.touch();
    await settled();
    expect(looks).toBe(1);
  });
});
