import { beforeEach, describe, expect, test } from "@jest/globals";
import { KindredError, type ErrorKind } from "@kindred/errors";
import * as fc from "fast-check";
import { SPACE } from "../../test/fake-embedding.ts";
import type { Embedded } from "./embed-call.ts";
import { embedInOrder, type BulkDeps } from "./embed-in-order.ts";
import type { TextBatch } from "./text-batches.ts";

const BATCHES = 12;

/** A service in memory whose every step a test can make fail, slow or odd. */
class Service implements BulkDeps {
  readonly calls: { text: string; spaceId: string }[] = [];
  readonly said: string[] = [];
  read = 0;
  clock = 0;
  atOnce = 0;
  most = 0;
  before: (text: string, attempt: number, signal: AbortSignal) => unknown = () => {};
  spaceOf: (text: string) => string = () => SPACE.id;

  async *batches(): AsyncGenerator<TextBatch> {
    for (let i = 0; i < BATCHES; i++) {
      this.read += 1;
      yield { texts: [String(i)], first: i, end: i };
    }
  }

  embed = async (
    { texts: [text = ""] }: TextBatch,
    spaceId: string,
    signal: AbortSignal,
  ): Promise<Embedded> => {
    const attempt = this.calls.filter((call) => call.text === text).length;
    this.calls.push({ text, spaceId });
    this.most = Math.max(this.most, ++this.atOnce);
    try {
      await this.before(text, attempt, signal);
    } finally {
      this.atOnce -= 1;
    }
    return {
      space: { $typeName: "kindred.common.v1.EmbeddingSpace", ...SPACE, id: this.spaceOf(text) },
      vectors: new Float32Array([Number(text), 0, 0]),
      tokenCounts: [],
      truncated: [],
      totalTokens: 1,
      cachedTexts: 0,
      timings: undefined,
    };
  };

  sleep = async (ms: number, signal: AbortSignal): Promise<void> => {
    signal.throwIfAborted();
    this.clock += ms;
    await new Promise((resolve) => setImmediate(resolve));
  };

  now = (): number => this.clock;
  onWaiting = (reason: string): void => void this.said.push(`waiting: ${reason}`);
  onResumed = (): void => void this.said.push("resumed");

  run(options: { patienceMs?: number; signal?: AbortSignal; inFlight?: number } = {}) {
    return embedInOrder(this.batches(), this, { inFlight: 3, patienceMs: 60_000, ...options });
  }

  async all(options: Parameters<Service["run"]>[0] = {}): Promise<number[]> {
    const answers = await Array.fromAsync(this.run(options));
    return answers.map(({ embedded }) => embedded.vectors[0] as number);
  }
}

let service: Service;
beforeEach(() => {
  service = new Service();
});

const fail = (kind: ErrorKind): never => {
  throw new KindredError(kind, `it is ${kind}`);
};
const IN_ORDER = Array.from({ length: BATCHES }, (_, i) => i);

test("answers come in the order of the texts, however long each call takes", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.nat(6), { minLength: BATCHES, maxLength: BATCHES }),
      fc.integer({ min: 1, max: 5 }),
      async (delays, inFlight) => {
        const slow = new Service();
        slow.before = async (text) => {
          for (let i = 0; i < (delays[Number(text)] as number); i++)
            await new Promise((done) => setImmediate(done));
        };
        expect(await slow.all({ inFlight })).toEqual(IN_ORDER);
        expect(slow.most).toBeLessThanOrEqual(inFlight);
      },
    ),
    { numRuns: 30 },
  );
});

test("no more is read than is under way while nobody takes the answers", async () => {
  const answers = service.run();
  await answers.next();
  await new Promise((resolve) => setTimeout(resolve, 5));
  expect(service.read).toBe(3);
  await answers.next();
  expect(service.read).toBe(4);
  await answers.return(undefined);
});

test("leaving early gives up what is under way", async () => {
  service.before = (text, _attempt, signal) =>
    text === "0"
      ? undefined
      : new Promise((_, reject) => signal.addEventListener("abort", () => reject(new Error("gone"))));
  for await (const _ of service.run()) break;
  expect(service.atOnce).toBe(0);
  expect(service.calls.map(({ text }) => text)).toEqual(["0", "1", "2"]);
});

test.each<ErrorKind>(["unavailable", "resource-exhausted", "aborted", "deadline-exceeded"])(
  "a call that is %s is made again, in its place",
  async (kind) => {
    service.before = (text, attempt) => void (text === "4" && attempt < 3 && fail(kind));
    expect(await service.all()).toEqual(IN_ORDER);
    expect(service.calls.filter(({ text }) => text === "4")).toHaveLength(4);
    expect(service.said[0]).toBe(`waiting: it is ${kind}`);
    expect(service.said.at(-1)).toBe("resumed");
  },
);

test("a delay that the service asks for is kept", async () => {
  service.before = (text, attempt) => {
    if (text === "0" && attempt === 0)
      throw new KindredError("resource-exhausted", "full", { retryAfterMs: 9_000 });
  };
  await service.all();
  expect(service.clock).toBeGreaterThanOrEqual(9_000);
});

describe("it ends", () => {
  test("at once with an error that does not pass; what came before it was given", async () => {
    service.before = (text) => void (text === "5" && fail("invalid-argument"));
    const taken: string[] = [];
    const all = async () => {
      for await (const { batch } of service.run()) taken.push(...batch.texts);
    };
    await expect(all()).rejects.toMatchObject({ kind: "invalid-argument" });
    expect(taken).toEqual(["0", "1", "2", "3", "4"]);
    expect(service.calls.filter(({ text }) => text === "5")).toHaveLength(1);
    expect(service.read).toBeLessThan(BATCHES);
  });

  test("when nothing could be embedded for too long", async () => {
    service.before = () => fail("unavailable");
    await expect(service.all({ patienceMs: 20_000 })).rejects.toMatchObject({ kind: "unavailable" });
    expect(service.clock).toBeGreaterThanOrEqual(20_000);
    expect(service.said).toEqual(["waiting: it is unavailable"]);
  });

  test("when it is stopped, with that as the reason, also between two tries", async () => {
    const stop = new AbortController();
    service.before = (text) => {
      if (text !== "2") return;
      stop.abort(new Error("Ctrl+C"));
      fail("unavailable");
    };
    await expect(service.all({ signal: stop.signal })).rejects.toThrow("Ctrl+C");
  });

  test("when the service has another model than at the beginning", async () => {
    service.spaceOf = (text) => (Number(text) < 6 ? SPACE.id : "local:other@2:3:mean:l2:8");
    await expect(service.all()).rejects.toMatchObject({
      kind: "failed-precondition",
      message: expect.stringContaining("local:other@2"),
    });
  });
});

test("once the space is known, every call insists on it", async () => {
  await service.all({ inFlight: 2 });
  expect(service.calls.map(({ spaceId }) => spaceId)).toEqual([
    "",
    "",
    ...Array<string>(BATCHES - 2).fill(SPACE.id),
  ]);
});
