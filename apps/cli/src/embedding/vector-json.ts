/** Vectors as they come, in order. */
export interface VectorRows {
  texts: readonly string[];
  /** Number of the first text, from 0. */
  first: number;
  /** Row after row. */
  vectors: Float32Array;
  dimensions: number;
}

/** Nine significant digits name a float32 exactly; the seventeen that JavaScript would write name a double. */
const DIGITS = 9;

/** A finite float32 as JSON that is read back as the same float32, also where that is -0. */
export function float32Text(value: number): string {
  return Object.is(value, -0) ? "-0" : String(Number(value.toPrecision(DIGITS)));
}

/** The vector as a JSON array. */
export function vectorJson(vector: Float32Array): string {
  return `[${Array.from(vector, float32Text).join(",")}]`;
}

/** One line of JSON for each vector, in order: {"index", "text" where wanted, "vector"}. */
export function jsonLines(
  { texts, first, vectors, dimensions }: VectorRows,
  options: { withText: boolean },
): string {
  return texts
    .map((text, i) => {
      const vector = vectors.subarray(i * dimensions, (i + 1) * dimensions);
      const said = options.withText ? `,"text":${JSON.stringify(text)}` : "";
      return `{"index":${first + i}${said},"vector":${vectorJson(vector)}}\n`;
    })
    .join("");
}
