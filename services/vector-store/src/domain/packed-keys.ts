/** Many keys in two pieces of memory, of which exactly as much is taken as was said. */
export class PackedKeys {
  readonly #bytes: Buffer;
  /** Where each key ends. */
  readonly #ends: Uint32Array;
  #count = 0;

  /** @param keyBytes of all keys together, in UTF-8 */
  constructor(size: { keys: number; keyBytes: number }) {
    this.#bytes = Buffer.allocUnsafeSlow(size.keyBytes);
    this.#ends = new Uint32Array(size.keys);
  }

  get count(): number {
    return this.#count;
  }

  /** @returns whether there was room for it */
  push(key: string): boolean {
    const start = this.#start(this.#count);
    const end = start + Buffer.byteLength(key);
    if (this.#count === this.#ends.length || end > this.#bytes.length) return false;
    this.#bytes.write(key, start);
    this.#ends[this.#count++] = end;
    return true;
  }

  at(index: number): string {
    return this.#bytes.toString("utf8", this.#start(index), this.#ends[index]);
  }

  /** Position of the key at `from` or behind it; -1 when it is not there. */
  indexOf(key: string, from: number): number {
    const wanted = Buffer.from(key);
    for (let index = from; index < this.#count; index++) {
      const start = this.#start(index);
      const end = this.#ends[index] as number;
      if (end - start === wanted.length && wanted.compare(this.#bytes, start, end) === 0) return index;
    }
    return -1;
  }

  #start(index: number): number {
    return index === 0 ? 0 : (this.#ends[index - 1] as number);
  }
}
