import { describe, expect, test } from "@jest/globals";
import * as fc from "fast-check";
import { checkAnswer } from "./check-answer.ts";

interface Vector {
  readonly index: unknown;
  readonly values: ArrayLike<unknown> | undefined;
}

const answer = (vectors: readonly Vector[]) => ({
  vectors: vectors.map(({ index, values }) => ({ index, read: () => values })),
  totalTokens: 7,
});
const plain = { dimensions: 2, normalize: false } as const;

test("gives each text its vector, whatever order they come in, with length 1", async () => {
  const coordinate = fc.double({ min: -1e30, max: 1e30, noNaN: true });
  const vector = fc.array(coordinate, { minLength: 3, maxLength: 3 }).filter((v) => Math.hypot(...v) > 1e-30);
  await fc.assert(
    fc.asyncProperty(
      fc.array(vector, { minLength: 1, maxLength: 8 }),
      fc.infiniteStream(fc.nat()),
      async (rows, order) => {
        const shuffled = rows
          .map((values, index) => ({ index, values, key: order.next().value as number }))
          .toSorted((a, b) => a.key - b.key);
        const result = await checkAnswer(answer(shuffled), {
          texts: rows.length,
          dimensions: 3,
          normalize: true,
        });
        for (const [i, row] of rows.entries()) {
          const length = Math.hypot(...row.map(Math.fround));
          const got = [...result.subarray(3 * i, 3 * i + 3)];
          expect(Math.hypot(...got)).toBeCloseTo(1, 5);
          for (const [j, value] of got.entries()) expect(value).toBeCloseTo((row[j] as number) / length, 5);
        }
      },
    ),
  );
});

test("leaves lengths alone where they are wanted as they are", async () => {
  const vectors = [{ index: 0, values: [3, 4] }];
  expect([...(await checkAnswer(answer(vectors), { ...plain, texts: 1 }))]).toEqual([3, 4]);
  expect([...(await checkAnswer(answer(vectors), { ...plain, texts: 1, normalize: true }))]).toEqual([
    Math.fround(0.6),
    Math.fround(0.8),
  ]);
});

describe("refuses", () => {
  const good: Vector = { index: 0, values: [1, 0] };
  const cases: Record<string, [vectors: readonly Vector[], words: string]> = {
    "too few": [[good], "2 texts were sent and 1 vectors came back"],
    "too many": [[good, good, good], "3 vectors came back"],
    "an index twice": [[good, good], "two vectors have the index 0"],
    "no index": [[good, { index: undefined, values: [1, 0] }], "has the index undefined"],
    "an index that is text": [[good, { index: "1", values: [1, 0] }], 'has the index "1"'],
    "an index beyond the end": [[good, { index: 2, values: [1, 0] }], "0 to 1 exist"],
    "half an index": [[good, { index: 0.5, values: [1, 0] }], "has the index 0.5"],
    "no vector": [[good, { index: 1, values: undefined }], "vector 1 is neither"],
    "too few dimensions": [[good, { index: 1, values: [1] }], "vector 1 has 1 dimensions instead of 2"],
    "too many dimensions": [[good, { index: 1, values: [1, 0, 0] }], "3 dimensions instead of 2"],
    NaN: [[good, { index: 1, values: [1, Number.NaN] }], "vector 1 has NaN at 1"],
    null: [[good, { index: 1, values: [null, 1] }], "vector 1 has null at 0"],
    text: [[good, { index: 1, values: ["1", 1] }], 'has "1" at 0'],
    "what no float32 holds": [[good, { index: 1, values: [1e39, 1] }], "vector 1 has 1e+39 at 0"],
    zeros: [[good, { index: 1, values: [0, -0] }], "vector 1 has only zeros"],
  };
  test.each(Object.entries(cases))("%s", async (_name, [vectors, words]) => {
    await expect(checkAnswer(answer(vectors), { ...plain, texts: 2 })).rejects.toMatchObject({
      kind: "bad-answer",
      totalTokens: 7,
      message: expect.stringContaining(words),
    });
  });
});

test("a large answer lets others run in between", async () => {
  const vectors = Array.from({ length: 200 }, (_, index) => ({
    index,
    values: new Float32Array(20_000).fill(1),
  }));
  let turns = 0;
  const count = (): void => {
    turns++;
    if (turns < 1e6) timer = setImmediate(count);
  };
  let timer = setImmediate(count);
  await checkAnswer(answer(vectors), { texts: 200, dimensions: 20_000, normalize: true });
  clearImmediate(timer);
  expect(turns).toBeGreaterThan(0);
});
