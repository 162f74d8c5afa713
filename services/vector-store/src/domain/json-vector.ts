/**
 * Reads a vector from its JSON text into `target`, from `at` on. Numbers become the nearest float32.
 * @returns whether the text was an array of `length` numbers that float32 can hold; otherwise what was written is of no use.
 */
export function readJsonVector(text: string, length: number, target: Float32Array, at: number): boolean {
  const values = JSON.parse(text) as unknown;
  if (!Array.isArray(values) || values.length !== length) return false;
  for (let i = 0; i < length; i++) {
    const value = values[i] as unknown;
    if (typeof value !== "number") return false;
    target[at + i] = value;
    if (!Number.isFinite(target[at + i])) return false;
  }
  return true;
}
