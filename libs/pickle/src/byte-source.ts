import { KindredError } from "@kindred/errors";

/** The bytes of a pickle, read from the front. Every length is checked before anything is taken. */
export class ByteSource {
  readonly #bytes: Buffer;
  #position = 0;

  /** Reads the bytes where they are: they must not change meanwhile. */
  constructor(bytes: Uint8Array) {
    this.#bytes = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  get position(): number {
    return this.#position;
  }

  get left(): number {
    return this.#bytes.length - this.#position;
  }

  /** A part of the input, not a copy. */
  take(length: number): Buffer {
    if (length > this.left) throw this.#cutShort(length);
    const part = this.#bytes.subarray(this.#position, this.#position + length);
    this.#position += length;
    return part;
  }

  uint8(): number {
    if (this.left < 1) throw this.#cutShort(1);
    return this.#bytes[this.#position++] as number;
  }

  uint16(): number {
    return this.take(2).readUInt16LE();
  }

  uint32(): number {
    return this.take(4).readUInt32LE();
  }

  int32(): number {
    return this.take(4).readInt32LE();
  }

  /** Of lengths: what is beyond 2^53 is beyond every input, and is said to be. */
  uint64(): number {
    return Number(this.take(8).readBigUInt64LE());
  }

  float64BigEndian(): number {
    return this.take(8).readDoubleBE();
  }

  /** Up to the next newline, which is passed over. */
  line(): Buffer {
    const end = this.#bytes.indexOf(0x0a, this.#position);
    if (end < 0) throw this.#cutShort(this.left + 1);
    const part = this.#bytes.subarray(this.#position, end);
    this.#position = end + 1;
    return part;
  }

  #cutShort(wanted: number): KindredError {
    return new KindredError(
      "data-loss",
      `the pickle is cut short: at byte ${this.#position} it wants ${wanted} more, and has ${this.left}`,
    );
  }
}
