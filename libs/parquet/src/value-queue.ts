import type { PageCursor } from "./page-cursor.ts";

type Values = ArrayLike<unknown>;

/** Of pages that are read ahead so that batches have more rows; one page is read however large it is. */
const AHEAD_BYTES = 4 * 1024 * 1024;

/** Values of pages, given out by numbers of rows that have nothing to do with pages. */
export class ValueQueue {
  readonly #cursor: PageCursor;
  #skip: number;
  #pages: { values: Values; bytes: number }[] = [];
  /** Taken of the first page. */
  #taken = 0;
  #length = 0;
  #bytes = 0;

  /** The first `skip` rows are left out. */
  constructor(cursor: PageCursor, skip: number) {
    this.#cursor = cursor;
    this.#skip = skip;
  }

  get length(): number {
    return this.#length;
  }

  /** Reads pages until there are `rows` rows, or fewer where rows are large, but one at least. */
  async fill(rows: number): Promise<void> {
    while (this.#length === 0 || (this.#length < rows && this.#bytes < AHEAD_BYTES)) {
      const { values, skipped, bytes } = await this.#cursor.next(this.#skip);
      this.#skip -= skipped;
      const cut = Math.min(this.#skip, values.length);
      this.#skip -= cut;
      if (cut === values.length) continue;
      this.#pages.push({ values: slice(values, cut, values.length), bytes });
      this.#bytes += bytes;
      this.#length += values.length - cut;
    }
  }

  /** Nothing may be left when all rows were taken. */
  async end(): Promise<void> {
    if (this.#cursor.left > 0) await this.#cursor.next(0);
  }

  /** The next rows, of which there must be as many. */
  take(rows: number): Values {
    this.#length -= rows;
    const parts: Values[] = [];
    for (let missing = rows; missing > 0;) {
      const { values: page, bytes } = this.#pages[0] as { values: Values; bytes: number };
      const count = Math.min(missing, page.length - this.#taken);
      parts.push(slice(page, this.#taken, this.#taken + count));
      this.#taken += count;
      missing -= count;
      if (this.#taken < page.length) continue;
      this.#pages.shift();
      this.#bytes -= bytes;
      this.#taken = 0;
    }
    return parts.length === 1 ? (parts[0] as Values) : parts.flatMap((part) => Array.from(part));
  }
}

function slice(values: Values, from: number, to: number): Values {
  if (from === 0 && to === values.length) return values;
  return Array.isArray(values)
    ? (values.slice(from, to) as unknown[])
    : (values as Float64Array).subarray(from, to);
}
