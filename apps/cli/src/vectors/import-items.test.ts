import { describe, expect, test } from "@jest/globals";
import { invalidFields, KindredError } from "@kindred/errors";
import { importItems, type ImportDeps, type ImportOptions, type Stored } from "./import-items.ts";
import { inItemBatches, type RowBatch } from "./item-batches.ts";
import type { SourceRow } from "./item-source.ts";

const row = (line: number, item?: string): SourceRow => ({
  item: item ?? {
    key: `k${line}`,
    vector: new Uint8Array(4),
    text: undefined,
    metadata: undefined,
    document: undefined,
  },
  line,
  bytes: 10,
  end: { lines: line, bytes: 10 * line },
});

// oxlint-disable-next-line typescript/require-await -- rows of a file come one by one
async function* rowsOf(...rows: SourceRow[]): AsyncGenerator<SourceRow> {
  yield* rows;
}

const batchesOf = (...rows: SourceRow[]): AsyncGenerator<RowBatch> =>
  inItemBatches(rowsOf(...rows), { items: 2, bytes: 1_000 });
const allStored = ({ items }: RowBatch): Stored => ({
  inserted: items.length,
  replaced: 0,
  skipped: 0,
  rejected: [],
});

function run(
  send: ImportDeps["send"],
  options: Partial<ImportOptions> = {},
  rows = [1, 2, 3, 4, 5].map((line) => row(line)),
) {
  const positions: number[] = [];
  let now = 0;
  const result = importItems(
    batchesOf(...rows),
    {
      send,
      onStored: async ({ lines }) => void positions.push(lines),
      sleep: async (ms) => void (now += ms),
      now: () => now,
      onWaiting: () => {},
      onResumed: () => {},
    },
    {
      refusesExisting: false,
      skipsBadRows: false,
      patienceMs: 10_000,
      graceMs: 1_000,
      signal: new AbortController().signal,
      ...options,
    },
  );
  return { result, positions };
}

const away = new KindredError("unavailable", "away");

test("batch after batch, each acknowledged before the next is sent", async () => {
  let underWay = 0;
  const { result, positions } = run(async (batch) => {
    expect(++underWay).toBe(1);
    await new Promise((resolve) => setTimeout(resolve, 1));
    underWay -= 1;
    return allStored(batch);
  });
  expect(await result).toMatchObject({ inserted: 5, rejected: 0 });
  expect(positions).toEqual([2, 4, 5]);
});

test("a batch that fails for a reason that passes is sent again", async () => {
  let calls = 0;
  const { result, positions } = run(async (batch) => {
    calls += 1;
    if (calls === 2 || calls === 3) throw away;
    return allStored(batch);
  });
  expect(await result).toMatchObject({ inserted: 5 });
  expect({ calls, positions }).toEqual({ calls: 5, positions: [2, 4, 5] });
});

test("patience ends", async () => {
  const { result, positions } = run(async (batch) => {
    if (batch.lines[0] === 3) throw away;
    return allStored(batch);
  });
  await expect(result).rejects.toBe(away);
  expect(positions).toEqual([2]);
});

describe("keys that are there, where they are refused", () => {
  const conflict = new KindredError("already-exists", "there already");

  test("are an error", async () => {
    const { result } = run(() => Promise.reject(conflict), { refusesExisting: true });
    await expect(result).rejects.toBe(conflict);
  });

  test("behind a lost answer nobody knows whose they are", async () => {
    let calls = 0;
    const { result } = run(
      () => {
        calls += 1;
        return Promise.reject(calls === 1 ? away : conflict);
      },
      { refusesExisting: true },
    );
    await expect(result).rejects.toMatchObject({ name: "UnclearBatchError", firstLine: 1, lastLine: 2 });
  });

  test("behind a full queue they were there before: nothing was done", async () => {
    let calls = 0;
    const full = new KindredError("resource-exhausted", "full");
    const { result } = run(
      () => {
        calls += 1;
        return Promise.reject(calls === 1 ? full : conflict);
      },
      { refusesExisting: true },
    );
    await expect(result).rejects.toBe(conflict);
  });
});

describe("bad rows", () => {
  test("that cannot be read end it before their batch is sent", async () => {
    const { result, positions } = run(async (batch) => allStored(batch), {}, [
      row(1),
      row(2),
      row(3),
      row(4, "no JSON"),
    ]);
    await expect(result).rejects.toMatchObject({
      name: "BadRowsError",
      rows: [{ line: 4, reason: "no JSON" }],
    });
    expect(positions).toEqual([2]);
  });

  test("are left out and told where the caller wants that, those of the service by their lines", async () => {
    const { result, positions } = run(
      async (batch) => ({
        ...allStored(batch),
        inserted: 0,
        rejected: [{ position: 0, reason: "vectors is not finite" }],
      }),
      { skipsBadRows: true },
      [row(1, "no JSON"), row(2), row(3, "x"), row(4, "y")],
    );
    expect(await result).toEqual({
      inserted: 0,
      replaced: 0,
      skipped: 0,
      rejected: 4,
      rejectedRows: [
        { line: 1, reason: "no JSON" },
        { line: 2, reason: "vectors is not finite" },
        { line: 3, reason: "x" },
        { line: 4, reason: "y" },
      ],
    });
    expect(positions).toEqual([2, 4]);
  });

  test("that the service refuses are named by their lines", async () => {
    const refused = invalidFields([
      { field: "items.keys[1]", description: "is too long" },
      { field: "items.metadata[0].year", description: "is odd" },
    ]);
    await expect(run(() => Promise.reject(refused)).result).rejects.toMatchObject({
      rows: [
        { line: 2, reason: "keys is too long" },
        { line: 1, reason: "metadata.year is odd" },
      ],
    });
  });

  test("what the service refuses otherwise stays as it is", async () => {
    const refused = invalidFields([{ field: "space_id", description: "is too long" }]);
    await expect(run(() => Promise.reject(refused)).result).rejects.toBe(refused);
  });
});

test("a wish to stop ends it behind the batch that is under way", async () => {
  const wish = new AbortController();
  const { result, positions } = run(
    async (batch, signal) => {
      wish.abort(new Error("stopped"));
      await new Promise((resolve) => setTimeout(resolve, 5));
      expect(signal.aborted).toBe(false);
      return allStored(batch);
    },
    { signal: wish.signal },
  );
  await expect(result).rejects.toThrow("stopped");
  expect(positions).toEqual([2]);
});

test("which has only so long for that", async () => {
  const wish = new AbortController();
  const { result } = run(
    (_batch, signal) =>
      new Promise((_resolve, reject) => {
        signal.addEventListener("abort", () => reject(new KindredError("cancelled", "given up")));
        wish.abort(new Error("stopped"));
      }),
    { signal: wish.signal, graceMs: 5 },
  );
  await expect(result).rejects.toThrow("given up");
});

describe("batches", () => {
  const sizesOf = async (limits: { items: number; bytes: number }, ...rows: SourceRow[]) =>
    (await Array.fromAsync(inItemBatches(rowsOf(...rows), limits))).map(({ items, bad }) => [
      items.length,
      bad.length,
    ]);

  test("have as many rows and bytes as they may, and at least one row", async () => {
    const rows = [1, 2, 3, 4, 5].map((line) => row(line));
    expect(await sizesOf({ items: 3, bytes: 1_000 }, ...rows)).toEqual([
      [3, 0],
      [2, 0],
    ]);
    expect(await sizesOf({ items: 100, bytes: 20 }, ...rows)).toEqual([
      [2, 0],
      [2, 0],
      [1, 0],
    ]);
    expect(await sizesOf({ items: 100, bytes: 1 }, ...rows.slice(0, 2))).toEqual([
      [1, 0],
      [1, 0],
    ]);
    expect(await sizesOf({ items: 2, bytes: 1_000 }, row(1, "x"), row(2, "x"), row(3))).toEqual([
      [0, 2],
      [1, 0],
    ]);
    expect(await sizesOf({ items: 2, bytes: 1_000 })).toEqual([]);
  });

  test("are of one kind", async () => {
    const text = {
      ...row(2),
      item: { key: "t", vector: undefined, text: "x", metadata: undefined, document: undefined },
    };
    expect(await sizesOf({ items: 9, bytes: 1_000 }, row(1), text, text, row(4))).toEqual([
      [1, 0],
      [2, 0],
      [1, 0],
    ]);
  });
});
