import { KindredError } from "@kindred/errors";

/** What a pickle may ask for. Everything else is bounded by the length of the input. */
export interface PickleLimits {
  /** Containers inside each other, at most 65,535; 200 when not set. */
  depth?: number;
  /** Values in all when those that stand in several places are counted in each, at most 2^36; 2^30 when not set. */
  values?: number;
}

export const DEFAULT_LIMITS: Required<PickleLimits> = { depth: 200, values: 2 ** 30 };

/** Of decimal digits, whose conversion takes time quadratic in their number; Python has the same limit. */
export const MAX_DIGITS = 4_300;
/** Of a binary integer. */
export const MAX_INTEGER_BYTES = 4_096;

const PER_BYTE = 16;
const ALLOWANCE = 64 * 2 ** 10;

/**
 * Memory that copies may take. Reading an opcode takes memory in proportion to its length; but an opcode of two bytes can ask for a
 * copy of a buffer that stands somewhere else, again and again. No pickle that Python writes does that.
 */
export class Budget {
  readonly #total: number;
  #left: number;

  /** @param length of the input, in bytes */
  constructor(length: number) {
    this.#total = PER_BYTE * length + ALLOWANCE;
    this.#left = this.#total;
  }

  /** @throws KindredError resource-exhausted, before the memory is taken */
  charge(bytes: number): void {
    this.#left -= bytes;
    if (this.#left < 0) {
      throw new KindredError(
        "resource-exhausted",
        `the pickle asks for more than ${this.#total} bytes of copies of its own parts; no pickle that Python wrote does that`,
      );
    }
  }
}
