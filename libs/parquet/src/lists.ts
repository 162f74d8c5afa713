import { KindredError } from "@kindred/errors";
import type { DecodedArray, SchemaTree } from "hyparquet";

/** Lists of single values out of the elements and levels of pages; a list may go on in the next page. */
export class ListAssembler {
  /** Definition level of an empty list; below it the list is missing. */
  readonly #empty: number;
  /** That of an element that is there. */
  readonly #full: number;
  readonly #float32: boolean;
  #parts: ArrayLike<unknown>[] = [];
  /** Whether there is a list that the next page may continue. */
  #open = false;
  #missing = false;

  /** @param path from the root to the element */
  constructor(path: readonly SchemaTree[], float32: boolean) {
    const levels = path.slice(1).map(({ element }) => element.repetition_type);
    const repeated = levels.indexOf("REPEATED");
    const optional = (level: string | undefined): boolean => level === "OPTIONAL";
    this.#empty = levels.slice(0, repeated).filter(optional).length;
    this.#full = this.#empty + 1 + levels.slice(repeated + 1).filter(optional).length;
    this.#float32 = float32;
  }

  get begun(): boolean {
    return this.#open;
  }

  /** The lists that are whole with this page. */
  page(
    values: DecodedArray,
    definitions: ArrayLike<number> | undefined,
    repetitions: ArrayLike<number>,
  ): unknown[] {
    const lists: unknown[] = [];
    let at = 0;
    let begin = 0;
    for (let index = 0; index < repetitions.length; index++) {
      const repetition = repetitions[index];
      const definition = definitions === undefined ? this.#full : (definitions[index] as number);
      if (repetition === 0) {
        this.#keep(values, begin, at);
        begin = at;
        if (this.#open) lists.push(this.end());
        this.#open = true;
        this.#missing = definition < this.#empty;
      } else if (!this.#open || this.#missing) throw new RangeError("a list goes on that has not begun");
      if (definition === this.#full) at++;
      else if (definition > this.#empty)
        throw new KindredError(
          "unimplemented",
          "lists that lack an element cannot be read; write them without",
        );
      else if (repetition !== 0) throw new RangeError("a list goes on without an element");
    }
    this.#keep(values, begin, at);
    if (at !== values.length) throw new RangeError("a page has another number of values than its levels");
    return lists;
  }

  /** The last list: nothing follows. */
  end(): unknown {
    const parts = this.#parts;
    this.#parts = [];
    this.#open = false;
    if (this.#missing) return null;
    if (!this.#float32) return parts.flatMap((part) => Array.from(part));
    if (parts.length === 1 && parts[0] instanceof Float32Array) return parts[0];
    return Float32Array.from(parts.flatMap((part) => Array.from(part as ArrayLike<number>)));
  }

  #keep(values: DecodedArray, begin: number, end: number): void {
    if (begin < end) this.#parts.push(values.slice(begin, end));
  }
}
