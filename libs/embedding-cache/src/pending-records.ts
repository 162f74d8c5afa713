import { FLOAT_BYTES, ID_BYTES } from "./format.ts";

/** Records that wait for being written, one behind the other as a block has them. */
export class PendingRecords {
  readonly #dimensions: number;
  /** For so many records memory is kept, even when none is pending. */
  readonly #usual: number;
  #ids: BigInt64Array;
  #vectors: Float32Array;
  /** Those before are written already. */
  #start = 0;
  #end = 0;

  constructor(dimensions: number, usual: number) {
    this.#dimensions = dimensions;
    this.#usual = usual;
    this.#ids = new BigInt64Array();
    this.#vectors = new Float32Array();
  }

  get count(): number {
    return this.#end - this.#start;
  }

  /** Copies the records. */
  push(ids: BigInt64Array, vectors: Float32Array): void {
    if (this.#end + ids.length > this.#ids.length) this.#makeRoom(ids.length);
    this.#ids.set(ids, this.#end);
    this.#vectors.set(vectors, this.#end * this.#dimensions);
    this.#end += ids.length;
  }

  /** Bytes of the first records, `atMost` of them; good until the next push or drop. */
  first(atMost: number): { ids: Uint8Array; vectors: Uint8Array } {
    const count = Math.min(atMost, this.count);
    const vectorBytes = this.#dimensions * FLOAT_BYTES;
    return {
      ids: new Uint8Array(this.#ids.buffer, this.#start * ID_BYTES, count * ID_BYTES),
      vectors: new Uint8Array(this.#vectors.buffer, this.#start * vectorBytes, count * vectorBytes),
    };
  }

  /** Forgets the first ones. */
  drop(count: number): void {
    this.#start += count;
    if (this.#start < this.#end) return;
    this.#start = 0;
    this.#end = 0;
    // One great append shall not keep its memory for good.
    if (this.#ids.length > 2 * this.#usual) this.#resize(0);
  }

  #makeRoom(more: number): void {
    const needed = this.count + more;
    if (needed > this.#ids.length)
      this.#resize(Math.max(needed, Math.min(2 * this.#ids.length, 2 * this.#usual)));
    else this.#move(this.#ids, this.#vectors);
  }

  #resize(capacity: number): void {
    this.#move(new BigInt64Array(capacity), new Float32Array(capacity * this.#dimensions));
  }

  /** To the beginning of these arrays, which may be those where they are. */
  #move(ids: BigInt64Array, vectors: Float32Array): void {
    const dimensions = this.#dimensions;
    ids.set(this.#ids.subarray(this.#start, this.#end));
    vectors.set(this.#vectors.subarray(this.#start * dimensions, this.#end * dimensions));
    this.#ids = ids;
    this.#vectors = vectors;
    this.#end -= this.#start;
    this.#start = 0;
  }
}
