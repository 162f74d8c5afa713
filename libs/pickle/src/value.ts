import type { NumpyArray } from "./numpy-array.ts";

/**
 * What a pickle holds, as JavaScript has it.
 *
 * | Python                        | here                                                                      |
 * | ----------------------------- | ------------------------------------------------------------------------- |
 * | None, bool, float             | null, boolean, number                                                     |
 * | int                           | number where that is exact (up to 2^53 - 1), else bigint                  |
 * | str                           | string; what `surrogateescape` made stays a lone surrogate                |
 * | bytes, bytearray              | Uint8Array                                                                |
 * | Python 2's str                | string where it is ASCII, else Uint8Array                                 |
 * | list, tuple                   | array                                                                     |
 * | dict, OrderedDict             | Map in the same order                                                     |
 * | set, frozenset                | Set                                                                       |
 * | complex                       | Complex                                                                   |
 * | datetime's classes            | Temporal                                                                  |
 * | numpy arrays                  | NumpyArray                                                                |
 * | numpy scalars                 | what Python's own type of that kind is here; datetime64 is Temporal       |
 *
 * A value that stands in several places is one object in all of them. It never contains itself.
 */
export type PickleValue =
  | null
  | boolean
  | number
  | bigint
  | string
  | Uint8Array
  | PickleValue[]
  | Map<PickleValue, PickleValue>
  | Set<PickleValue>
  | Complex
  | Temporal
  | NumpyArray;

/** A Python complex. */
export class Complex {
  readonly real: number;
  readonly imaginary: number;

  constructor(real: number, imaginary: number) {
    this.real = real;
    this.imaginary = imaginary;
  }
}

export type TemporalKind =
  "datetime" | "date" | "time" | "timedelta" | "timezone" | "datetime64" | "timedelta64";

/** A point or span of time, as exact as it was. */
export class Temporal {
  readonly kind: TemporalKind;
  /**
   * ISO 8601: "2024-02-29T12:00:00.000001+02:00" (without an offset where there was no time zone), "2024-02-29", "12:00:00",
   * "P1DT5.5S" (days may be negative, seconds are not, as Python keeps them), "+02:00".
   */
  readonly text: string;

  constructor(kind: TemporalKind, text: string) {
    this.kind = kind;
    this.text = text;
  }
}

/** A name of Python's world on the stack: what it would be there, is never looked up. */
export class Global {
  readonly module: string;
  readonly name: string;

  constructor(module: string, name: string) {
    this.module = module;
    this.name = name;
  }

  get path(): string {
    return `${this.module}.${this.name}`;
  }
}

export function isInteger(value: unknown): value is number | bigint {
  return typeof value === "bigint" || Number.isSafeInteger(value);
}

/** A number where it is exact. */
export function toInteger(value: bigint): number | bigint {
  const number = Number(value);
  return Number.isSafeInteger(number) ? number : value;
}
