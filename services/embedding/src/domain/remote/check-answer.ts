import { setImmediate } from "node:timers/promises";
import { ProviderFailure, type ProviderAnswer } from "./provider.ts";

export interface ExpectedAnswer {
  readonly texts: number;
  readonly dimensions: number;
  /** Scale the vectors to length 1. */
  readonly normalize: boolean;
}

/** How long other work waits at most. A full answer takes 80 ms to read and check. */
const SLICE_MS = 2;

/**
 * The vectors of an answer, row after row in the order of the texts, whatever order they came in.
 * @throws ProviderFailure bad-answer when a vector is missing, stands twice, has another width, a value that is no finite
 *   number, or only zeros.
 */
export async function checkAnswer(
  answer: ProviderAnswer,
  expected: ExpectedAnswer,
): Promise<Float32Array<ArrayBuffer>> {
  const { texts, dimensions, normalize } = expected;
  const bad = (what: string): ProviderFailure =>
    new ProviderFailure("bad-answer", what, { totalTokens: answer.totalTokens, limits: answer.limits });
  if (answer.vectors.length !== texts)
    throw bad(`${texts} texts were sent and ${answer.vectors.length} vectors came back`);

  const result = new Float32Array(texts * dimensions);
  const seen = new Uint8Array(texts);
  let sliceEnd = performance.now() + SLICE_MS;
  for (const { index, read } of answer.vectors) {
    if (performance.now() > sliceEnd) {
      await setImmediate();
      sliceEnd = performance.now() + SLICE_MS;
    }
    if (!isIndex(index, texts))
      throw bad(
        `a vector has the index ${JSON.stringify(index) ?? "undefined"}, and 0 to ${texts - 1} exist`,
      );
    if (seen[index] === 1) throw bad(`two vectors have the index ${index}`);
    seen[index] = 1;
    const values = read();
    if (values === undefined)
      throw bad(`vector ${index} is neither a list of numbers nor float32s in base64`);
    if (values.length !== dimensions)
      throw bad(`vector ${index} has ${values.length} dimensions instead of ${dimensions}`);
    const row = result.subarray(index * dimensions, (index + 1) * dimensions);
    copyNumbers(values, row, (what) => bad(`vector ${index} ${what}`));
    const length = lengthOf(row);
    if (length === 0) throw bad(`vector ${index} has only zeros`);
    if (normalize) for (let i = 0; i < dimensions; i++) row[i] = (row[i] as number) / length;
  }
  return result;
}

function isIndex(index: unknown, count: number): index is number {
  return Number.isInteger(index) && (index as number) >= 0 && (index as number) < count;
}

function copyNumbers(
  values: ArrayLike<unknown>,
  row: Float32Array,
  bad: (what: string) => ProviderFailure,
): void {
  for (let i = 0; i < row.length; i++) {
    const value = values[i];
    // A float64 may be too large for a float32.
    if (typeof value !== "number" || !Number.isFinite(Math.fround(value)))
      throw bad(
        `has ${typeof value === "number" ? value : JSON.stringify(value)} at ${i}, which is no finite number`,
      );
    row[i] = value;
  }
}

/** In float64: squares of float32s neither overflow nor vanish there. */
function lengthOf(row: Float32Array): number {
  let sum = 0;
  for (let i = 0; i < row.length; i++) sum += (row[i] as number) ** 2;
  return Math.sqrt(sum);
}
