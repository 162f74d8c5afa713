import type { FileHandle } from "node:fs/promises";

/** Bytes of a file from `position` on, read ahead by a window at a time. */
export class FileWindow {
  readonly #file: FileHandle;
  readonly #end: number;
  readonly #ahead: number;
  #position: number;
  #buffer: Uint8Array<ArrayBuffer> = new Uint8Array(0);
  #at = 0;

  /** Reads from `start` up to `end`; `ahead` bytes at a time, or more where more are asked for. */
  constructor(file: FileHandle, start: number, end: number, ahead = 1024 * 1024) {
    this.#file = file;
    this.#position = start;
    this.#end = end;
    this.#ahead = ahead;
  }

  /** Bytes that have not been taken. */
  get left(): number {
    return this.#end - this.#position;
  }

  /** The next `length` bytes or, near the end, what is left. They are a view that stays as it is. */
  async peek(length: number): Promise<Uint8Array<ArrayBuffer>> {
    const wanted = Math.min(length, this.left);
    if (this.#buffer.byteLength - this.#at < wanted) await this.#fill(wanted);
    return this.#buffer.subarray(this.#at, this.#at + wanted);
  }

  /** Steps over bytes, whether they were read or not. */
  skip(length: number): void {
    const step = Math.min(length, this.left);
    this.#position += step;
    this.#at = Math.min(this.#at + step, this.#buffer.byteLength);
  }

  async #fill(wanted: number): Promise<void> {
    const kept = this.#buffer.subarray(this.#at);
    const size = Math.min(this.left, Math.max(wanted, this.#ahead));
    // A new buffer each time: the decoder's values may be views of the old one.
    const next = new Uint8Array(size);
    next.set(kept);
    let filled = kept.byteLength;
    while (filled < size) {
      const { bytesRead } = await this.#file.read(next, filled, size - filled, this.#position + filled);
      if (bytesRead === 0) throw new RangeError("the file ends before its last page");
      filled += bytesRead;
    }
    this.#buffer = next;
    this.#at = 0;
  }
}
