import { beforeEach, describe, expect, test } from "@jest/globals";
import { KindredError, type ErrorKind } from "@kindred/errors";
import { inBatches, type Batch } from "./batches.ts";
import { importBatches, type Counts, type ImportDeps, type ImportOutcome } from "./import-batches.ts";

/** A store in memory that keeps the contract, and whose every step a test can make fail. */
class Store implements ImportDeps {
  readonly images = new Set<string>();
  readonly captions = new Map<number, "before" | "now">();
  readonly sent: number[] = [];
  readonly said: string[] = [];
  clock = 0;
  atOnce = 0;
  most = 0;
  /** Called before a batch is stored, and after. */
  before: (batch: Batch, attempt: number) => void = () => {};
  after: (batch: Batch, attempt: number) => void = () => {};

  send = async (batch: Batch): Promise<Counts> => {
    const attempt = this.sent.filter((index) => index === batch.index).length;
    this.sent.push(batch.index);
    this.most = Math.max(this.most, ++this.atOnce);
    await new Promise((resolve) => setImmediate(resolve));
    this.atOnce -= 1;
    this.before(batch, attempt);
    const counts = this.store(batch);
    this.after(batch, attempt);
    return counts;
  };

  store(batch: Batch, when: "before" | "now" = "now"): Counts {
    const counts = { imagesAdded: 0, imagesExisting: 0, embeddingsAdded: 0, embeddingsExisting: 0 };
    for (const { fileName, captions } of batch.pictures) {
      counts[this.images.has(fileName) ? "imagesExisting" : "imagesAdded"] += 1;
      this.images.add(fileName);
      for (const { id } of captions) {
        counts[this.captions.has(id) ? "embeddingsExisting" : "embeddingsAdded"] += 1;
        if (!this.captions.has(id)) this.captions.set(id, when);
      }
    }
    return counts;
  }

  countSinceStart = (batch: Batch): Promise<Counts> => {
    const counts = { imagesAdded: 0, imagesExisting: 0, embeddingsAdded: 0, embeddingsExisting: 0 };
    for (const { captions } of batch.pictures) {
      const isNew = captions.every(({ id }) => this.captions.get(id) === "now");
      counts[isNew ? "imagesAdded" : "imagesExisting"] += 1;
      counts[isNew ? "embeddingsAdded" : "embeddingsExisting"] += captions.length;
    }
    return Promise.resolve(counts);
  };

  sleep = async (ms: number, signal: AbortSignal): Promise<void> => {
    signal.throwIfAborted();
    this.clock += ms;
    await new Promise((resolve) => setImmediate(resolve));
  };

  now = (): number => this.clock;
  onStored = (): void => {};
  onWaiting = (reason: string): void => void this.said.push(`waiting: ${reason}`);
  onResumed = (): void => void this.said.push("resumed");
}

const fail = (kind: ErrorKind): never => {
  throw new KindredError(kind, `it is ${kind}`);
};

const PICTURES = Array.from({ length: 20 }, (_, i) => ({
  fileName: `${i}.jpg`,
  width: 1,
  height: 1,
  captions: [0, 1].map((j) => ({ id: 10 * i + j, text: "x" })),
}));
const batches = (): Batch[] => [...inBatches(PICTURES, 4)];
const ALL: Counts = { imagesAdded: 20, imagesExisting: 0, embeddingsAdded: 40, embeddingsExisting: 0 };

let store: Store;
beforeEach(() => {
  store = new Store();
});

function importAll(options: { patienceMs?: number; signal?: AbortSignal } = {}): Promise<ImportOutcome> {
  return importBatches(batches(), store, { inFlight: 3, patienceMs: 60_000, ...options });
}

test("everything is stored once, several batches at a time", async () => {
  expect(await importAll()).toEqual({ counts: ALL, stored: 10, unconfirmed: 0, error: undefined });
  expect(store.sent.toSorted((a, b) => a - b)).toEqual([...batches().keys()]);
  expect(store.most).toBe(3);
});

test("importing again adds nothing", async () => {
  await importAll();
  const { counts } = await importAll();
  expect(counts).toEqual({ imagesAdded: 0, imagesExisting: 20, embeddingsAdded: 0, embeddingsExisting: 40 });
});

test.each<ErrorKind>(["unavailable", "resource-exhausted", "aborted", "deadline-exceeded"])(
  "a batch that is %s is sent again until it is stored",
  async (kind) => {
    store.before = (batch, attempt) => void (batch.index === 4 && attempt < 3 && fail(kind));
    expect(await importAll()).toMatchObject({ counts: ALL, stored: 10, error: undefined });
    expect(store.sent.filter((index) => index === 4)).toHaveLength(4);
    expect(store.said[0]).toBe(`waiting: it is ${kind}`);
    expect(store.said.at(-1)).toBe("resumed");
  },
);

test("a batch whose answer was lost is counted as added, once", async () => {
  store.after = (batch, attempt) =>
    void ([2, 7].includes(batch.index) && attempt === 0 && fail("unavailable"));
  expect(await importAll()).toMatchObject({ counts: ALL, stored: 10, error: undefined });
});

test("a lost answer does not hide what was there before the import", async () => {
  store.store(batches()[2] as Batch, "before");
  store.after = (batch, attempt) => void (batch.index === 2 && attempt === 0 && fail("unavailable"));
  expect((await importAll()).counts).toEqual({
    imagesAdded: 18,
    imagesExisting: 2,
    embeddingsAdded: 36,
    embeddingsExisting: 4,
  });
});

test("a delay that the server asks for is kept", async () => {
  store.before = (batch, attempt) => {
    if (batch.index === 0 && attempt === 0)
      throw new KindredError("resource-exhausted", "full", { retryAfterMs: 9_000 });
  };
  await importAll();
  expect(store.clock).toBeGreaterThanOrEqual(9_000);
});

describe("giving up", () => {
  test("at once for an error that does not pass; the others are stopped", async () => {
    store.before = (batch) => void (batch.index === 3 && fail("failed-precondition"));
    const outcome = await importAll();
    expect(outcome.error).toMatchObject({ kind: "failed-precondition" });
    expect(outcome.stored).toBeLessThan(10);
    expect(outcome.counts.imagesAdded).toBe(2 * outcome.stored);
    expect(store.sent.filter((index) => index === 3)).toHaveLength(1);
  });

  test("when nothing could be stored for too long, telling what may be stored", async () => {
    store.before = (batch) => void (batch.index >= 5 && fail("unavailable"));
    const outcome = await importAll({ patienceMs: 20_000 });
    expect(outcome.error).toMatchObject({ kind: "unavailable" });
    expect(outcome.stored).toBe(5);
    expect(outcome.unconfirmed).toBe(3);
    expect(store.clock).toBeGreaterThanOrEqual(20_000);
    expect(store.said).toEqual(["waiting: it is unavailable"]);
  });

  test("when it is stopped", async () => {
    const stop = new AbortController();
    store.after = (batch) => {
      if (batch.index === 5) stop.abort(new Error("Ctrl+C"));
    };
    const outcome = await importAll({ signal: stop.signal });
    expect(outcome.error).toMatchObject({ message: "Ctrl+C" });
    expect(outcome.stored).toBeGreaterThanOrEqual(5);
    expect(outcome.stored).toBeLessThan(10);
  });
});
