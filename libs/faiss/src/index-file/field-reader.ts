import type { KindredError } from "@kindred/errors";
import { damaged, type IndexSource } from "./index-source.ts";

const WINDOW_BYTES = 64 * 1024;
const COUNTS_AT_ONCE = 1024;

/**
 * Reads the fields of an index one after the other, as FAISS writes them: little-endian, no padding. No length is believed before
 * it was held against what is left of the file, so that no file makes this allocate more than it has bytes.
 */
export class FieldReader {
  readonly source: IndexSource;
  #position = 0;
  #window = new DataView(new ArrayBuffer(0));
  #windowAt = 0;

  constructor(source: IndexSource) {
    this.source = source;
  }

  /** Of the next field. */
  get position(): number {
    return this.#position;
  }

  get remaining(): number {
    return this.source.size - this.#position;
  }

  /** The four characters that say what follows; bytes that are none are written as dots. */
  async fourcc(field: string): Promise<string> {
    const { view, at } = await this.#take(field, 4);
    const codes = Array.from({ length: 4 }, (_, i) => view.getUint8(at + i));
    return String.fromCharCode(...codes.map((code) => (code > 32 && code < 127 ? code : 46)));
  }

  async uint8(field: string): Promise<number> {
    const { view, at } = await this.#take(field, 1);
    return view.getUint8(at);
  }

  async boolean(field: string): Promise<boolean> {
    const value = await this.uint8(field);
    if (value > 1) throw this.fault(`${field} must be 0 or 1, is ${value}`);
    return value === 1;
  }

  async int32(field: string): Promise<number> {
    const { view, at } = await this.#take(field, 4);
    return view.getInt32(at, true);
  }

  async float32(field: string): Promise<number> {
    const { view, at } = await this.#take(field, 4);
    return view.getFloat32(at, true);
  }

  /** A size_t or a count of 64 bits: no file has more than 2^53 of anything. */
  async count(field: string): Promise<number> {
    const { view, at } = await this.#take(field, 8);
    return this.#countAt(view, at, field);
  }

  /** The length of a vector that follows: so many elements of so many bytes each. */
  async length(field: string, elementBytes: number): Promise<number> {
    const length = await this.count(`the length of ${field}`);
    this.#checkRoom(field, length * elementBytes);
    return length;
  }

  /** The elements of a vector of counts, whose length was read, some at a time. */
  async *counts(field: string, length: number): AsyncGenerator<number[]> {
    for (let first = 0; first < length; first += COUNTS_AT_ONCE) {
      const some = Math.min(COUNTS_AT_ONCE, length - first);
      const { view, at } = await this.#take(field, some * 8);
      yield Array.from({ length: some }, (_, i) => this.#countAt(view, at + i * 8, field));
    }
  }

  /** Steps over bytes that are read later, or never. Where they begin. */
  skip(field: string, bytes: number): number {
    this.#checkRoom(field, bytes);
    const at = this.#position;
    this.#position += bytes;
    return at;
  }

  /** Steps over a vector with its length. How many elements it has, and where they begin. */
  async skipVector(field: string, elementBytes: number): Promise<{ length: number; at: number }> {
    const length = await this.length(field, elementBytes);
    return { length, at: this.skip(field, length * elementBytes) };
  }

  /** The elements of a vector of float32, whose length was read. */
  async float32s(field: string, length: number): Promise<Float32Array> {
    const at = this.skip(field, length * 4);
    const values = new Float32Array(length);
    await this.source.read(new Uint8Array(values.buffer), at);
    return values;
  }

  /** A contradiction in the last field that was read. */
  fault(what: string): KindredError {
    return damaged(this.source.path, `${what} (before byte ${this.#position})`);
  }

  #countAt(view: DataView, at: number, field: string): number {
    const value = view.getUint32(at, true) + view.getUint32(at + 4, true) * 2 ** 32;
    if (value > Number.MAX_SAFE_INTEGER)
      throw this.fault(`${field} cannot be ${view.getBigUint64(at, true)}`);
    return value;
  }

  #checkRoom(field: string, bytes: number): void {
    if (bytes > this.remaining)
      throw damaged(
        this.source.path,
        `${bytes} bytes of ${field} should follow at byte ${this.#position}, and the file ends at byte ${this.source.size}`,
      );
  }

  async #take(field: string, bytes: number): Promise<{ view: DataView; at: number }> {
    this.#checkRoom(field, bytes);
    const at = this.#position;
    const end = at + bytes;
    if (at < this.#windowAt || end > this.#windowAt + this.#window.byteLength) {
      const buffer = new Uint8Array(Math.min(WINDOW_BYTES, this.remaining));
      await this.source.read(buffer, at);
      this.#window = new DataView(buffer.buffer);
      this.#windowAt = at;
    }
    this.#position = end;
    return { view: this.#window, at: at - this.#windowAt };
  }
}
