import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "@jest/globals";
import { BadRowPolicy, ConflictPolicy, type IngestResponse } from "@kindred/contracts/vector-store/v1";
import { KindredError } from "@kindred/errors";
import { DIMENSIONS, SPACE } from "./fake-embedding.ts";
import { errorOf, openFixture, type Fixture } from "./fixture.ts";
import { batchFrom, createCollection, keysFrom, pack, vectorOf, type BatchInit } from "./items-fixture.ts";

let fixture: Fixture;
beforeAll(async () => {
  fixture = await openFixture();
}, 60_000);
afterAll(async () => {
  await fixture?.[Symbol.asyncDispose]();
});
afterEach(async () => {
  await fixture.clear();
});

interface Options {
  onConflict?: ConflictPolicy;
  badRows?: BadRowPolicy;
  spaceId?: string;
}

/** The batches' numbers are their positions. */
async function* messages(batches: Iterable<BatchInit> | AsyncIterable<BatchInit>, options: Options = {}) {
  yield { message: { case: "options" as const, value: { collection: "things", ...options } } };
  let sequence = 0n;
  for await (const items of batches)
    yield { message: { case: "batch" as const, value: { sequence: sequence++, items } } };
}

const ingest = (batches: Iterable<BatchInit> | AsyncIterable<BatchInit>, options?: Options) =>
  fixture.vectors.ingest(messages(batches, options));

/** What was answered before the stream ended or failed. */
async function answersOf(
  answers: AsyncIterable<IngestResponse>,
): Promise<{ answers: IngestResponse[]; error: KindredError | undefined }> {
  const seen: IngestResponse[] = [];
  const all = async (): Promise<void> => {
    for await (const answer of answers) seen.push(answer);
  };
  const ended = await all().then(
    () => undefined,
    (thrown: unknown) => errorOf(Promise.reject(thrown)),
  );
  return { answers: seen, error: await ended };
}

async function storedKeys(): Promise<string[]> {
  const { rows } = await fixture.db.query<{ id: number }>("SELECT id FROM collections WHERE name = 'things'");
  const table = `collection_${rows[0]?.id}_vectors`;
  const { rows: keys } = await fixture.db.query<{ key: string }>(`SELECT key FROM ${table} ORDER BY key`);
  return keys.map(({ key }) => key);
}

test("answers every batch in order", async () => {
  await createCollection(fixture);
  const { answers, error } = await answersOf(
    ingest([0, 1000, 1300, 1310].map((first, i) => batchFrom(first, [1000, 300, 10, 500][i] as number))),
  );
  expect(error).toBeUndefined();
  expect(answers.map(({ sequence, inserted }) => [sequence, inserted])).toEqual([
    [0n, 1000n],
    [1n, 300n],
    [2n, 10n],
    [3n, 500n],
  ]);
  expect(await storedKeys()).toEqual(keysFrom(0, 1810));
});

test("answers a batch while the caller is silent", async () => {
  await createCollection(fixture);
  const answered = Promise.withResolvers<void>();
  async function* batches(): AsyncIterable<BatchInit> {
    yield batchFrom(0, 1);
    await answered.promise;
    yield batchFrom(1, 1);
  }
  const seen: bigint[] = [];
  for await (const { sequence } of ingest(batches())) {
    seen.push(sequence);
    answered.resolve();
  }
  expect(seen).toEqual([0n, 1n]);
});

describe.each([20, 600])("batches of %i with keys that are there", (count) => {
  const both = (): BatchInit[] => [batchFrom(0, count), batchFrom(count / 2, count, 4, 2)];

  test.each([
    [ConflictPolicy.SKIP, { inserted: BigInt(count / 2), skipped: BigInt(count / 2), replaced: 0n }],
    [ConflictPolicy.REPLACE, { inserted: BigInt(count / 2), replaced: BigInt(count / 2), skipped: 0n }],
  ])("policy %s", async (onConflict, counts) => {
    await createCollection(fixture);
    const { answers, error } = await answersOf(ingest(both(), { onConflict }));
    expect(error).toBeUndefined();
    expect(answers[1]).toMatchObject(counts);
    expect(await storedKeys()).toEqual(keysFrom(0, 1.5 * count));
  });

  test.each([ConflictPolicy.UNSPECIFIED, ConflictPolicy.ERROR])("policy %s", async (onConflict) => {
    await createCollection(fixture);
    const { answers, error } = await answersOf(ingest([...both(), batchFrom(5000, 5)], { onConflict }));
    expect(answers).toHaveLength(1);
    expect(error).toMatchObject({
      kind: "already-exists",
      metadata: { field: "batch.items.keys[0]", key: keysFrom(count / 2, 1)[0], sequence: "1" },
    });
    expect(await storedKeys()).toEqual(keysFrom(0, count));
  });

  test.each([ConflictPolicy.ERROR, ConflictPolicy.SKIP, ConflictPolicy.REPLACE])(
    "policy %s, with bad rows left out or rejecting the batch",
    async (onConflict) => {
      await createCollection(fixture);
      const bad = batchFrom(1000, count);
      bad.vectors?.fill(0xff, 0, 16);
      const batches = [batchFrom(0, count), bad];
      const rejecting = await answersOf(ingest(batches, { onConflict }));
      expect(rejecting.answers).toHaveLength(1);
      expect(rejecting.error).toMatchObject({ kind: "invalid-argument", metadata: { sequence: "1" } });
      expect(rejecting.error?.violations[0]?.field).toBe("batch.items.vectors[0]");
      expect(await storedKeys()).toHaveLength(count);
      const skipping = await answersOf(ingest([bad], { onConflict, badRows: BadRowPolicy.SKIP_ROW }));
      expect(skipping.answers[0]).toMatchObject({
        inserted: BigInt(count - 1),
        rejected: [{ position: 0, key: keysFrom(1000, 1)[0] }],
      });
      expect(await storedKeys()).toHaveLength(2 * count - 1);
    },
  );
});

test("whoever loses the stream goes on behind the last answer, and what is sent again is harmless", async () => {
  await createCollection(fixture);
  const batches = Array.from({ length: 6 }, (_, i) => batchFrom(i * 300, 300));
  async function* broken(): AsyncIterable<BatchInit> {
    yield* batches.slice(0, 3);
    throw new Error("the connection is gone");
  }
  const first = await answersOf(ingest(broken()));
  const answered = first.answers.length;
  expect(first.error).toBeDefined();
  for (const again of [Math.max(0, answered - 1), answered]) {
    const { answers, error } = await answersOf(
      ingest(batches.slice(again), { onConflict: ConflictPolicy.SKIP }),
    );
    expect(error).toBeUndefined();
    expect(answers).toHaveLength(6 - again);
  }
  expect(await storedKeys()).toEqual(keysFrom(0, 1800));
});

test("several streams of the same keys in other orders neither deadlock nor double", async () => {
  await createCollection(fixture);
  const streams = Array.from({ length: 4 }, (_, stream) => {
    const batches = Array.from({ length: 4 }, (_each, i) => {
      const numbers = Array.from({ length: 300 }, (_n, n) => i * 200 + n);
      const ordered = stream % 2 === 0 ? numbers : numbers.toReversed();
      return {
        keys: ordered.flatMap((number) => keysFrom(number, 1)),
        vectors: pack(...ordered.map((number) => vectorOf(number, 4, stream))),
        metadata: ordered.map(() => ({ stream })),
      };
    });
    const ordered = stream % 2 === 0 ? batches : batches.toReversed();
    const onConflict = stream < 2 ? ConflictPolicy.SKIP : ConflictPolicy.REPLACE;
    return answersOf(ingest(ordered, { onConflict }));
  });
  const results = await Promise.all(streams);
  expect(results.map(({ error }) => error)).toEqual([undefined, undefined, undefined, undefined]);
  const inserted = results
    .flatMap(({ answers }) => answers)
    .reduce((sum, answer) => sum + answer.inserted, 0n);
  expect(inserted).toBe(900n);
  expect(await storedKeys()).toEqual(keysFrom(0, 900));
  // Vectors and metadata of an item are of the same stream.
  for await (const { items } of fixture.vectors.export({
    collection: "things",
    projection: { vector: true },
  })) {
    for (const [i, key] of (items?.keys ?? []).entries()) {
      const stream = items?.metadata[i]?.["stream"] as number;
      const expected = pack(vectorOf(Number(key.slice(4)), 4, stream));
      expect(Buffer.from(items?.vectors.subarray(16 * i, 16 * i + 16) ?? [])).toEqual(Buffer.from(expected));
    }
  }
}, 30_000);

test("a caller that gives up leaves whole batches", async () => {
  await createCollection(fixture);
  const leaving = new AbortController();
  async function* batches(): AsyncIterable<BatchInit> {
    for (let i = 0; ; i++) yield batchFrom(i * 1000, 1000);
  }
  const answers = fixture.vectors.ingest(messages(batches()), { signal: leaving.signal });
  let seen = 0;
  const { error } = await answersOf(
    (async function* () {
      for await (const answer of answers) {
        yield answer;
        if (++seen === 2) leaving.abort();
      }
    })(),
  );
  expect(error?.kind).toBe("cancelled");
  let before = -1;
  let keys = await storedKeys();
  // What was on its way when the caller left ends soon.
  for (let i = 0; i < 100 && keys.length !== before; i++) {
    before = keys.length;
    await sleep(100);
    keys = await storedKeys();
  }
  expect(keys.length).toBeGreaterThanOrEqual(2000);
  expect(keys.length % 1000).toBe(0);
  expect(keys).toEqual(keysFrom(0, keys.length));
}, 30_000);

describe("texts", () => {
  const texts = (first: number, count: number): BatchInit => ({
    keys: keysFrom(first, count),
    texts: keysFrom(first, count).map((key) => `thing ${key}`),
  });

  test("are embedded a batch at a time, ahead of writing", async () => {
    await createCollection(fixture, { dimensions: DIMENSIONS });
    const { answers, error } = await answersOf(ingest([0, 1, 2, 3].map((i) => texts(10 * i, 10))));
    expect(error).toBeUndefined();
    expect(answers).toHaveLength(4);
    expect(fixture.embedding.calls.map((call) => call[0])).toEqual(
      [0, 10, 20, 30].map((i) => `thing ${keysFrom(i, 1)[0]}`),
    );
    const { collection } = await fixture.collections.getCollection({ name: "things" });
    expect(collection?.spaceId).toBe(SPACE.id);
  });

  test("that cannot be embedded leave the batches before them stored", async () => {
    await createCollection(fixture, { dimensions: DIMENSIONS });
    fixture.embedding.before = async (embedded) => {
      if (embedded[0]?.endsWith("20"))
        throw new KindredError("unavailable", "the embedding service is away", { retryAfterMs: 100 });
    };
    const { answers, error } = await answersOf(ingest([0, 1, 2, 3].map((i) => texts(10 * i, 10))));
    expect(answers.map(({ sequence }) => sequence)).toEqual([0n, 1n]);
    expect(error).toMatchObject({ kind: "unavailable", metadata: { sequence: "2" } });
    expect(await storedKeys()).toEqual(keysFrom(0, 20));
  });
});

describe("messages in the wrong order", () => {
  test.each([
    ["no options", [{ message: { case: "batch" as const, value: { items: batchFrom(0, 1) } } }], "options"],
    [
      "options twice",
      Array.from({ length: 2 }, () => ({
        message: { case: "options" as const, value: { collection: "things" } },
      })),
      "options",
    ],
    ["nothing", [{}], "message"],
  ])("%s", async (_, requests, field) => {
    await createCollection(fixture);
    async function* stream() {
      yield* requests;
    }
    const { error } = await answersOf(fixture.vectors.ingest(stream()));
    expect(error?.violations[0]?.field).toBe(field);
  });
});
