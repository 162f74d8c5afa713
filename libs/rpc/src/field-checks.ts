import { timestampMs, type Timestamp } from "@bufbuild/protobuf/wkt";
import { invalidFields, type FieldViolation } from "@kindred/errors";
import { isValidTimestamp } from "./timestamps.ts";

/** Longest text that has no column width: 1 MiB of UTF-8. */
export const MAX_TEXT_BYTES = 2 ** 20;

/** PostgreSQL keeps no NUL in a text, in JSON neither. */
const NUL = "\0";

/** Checks of one field each; what is wrong with all of them is reported together. */
export interface FieldChecks {
  readonly violations: readonly FieldViolation[];
  add(field: string, description: string): void;
  /** @throws KindredError invalid-argument that names every bad field, if there is any. */
  throwIfAny(): void;
  /** `maxCharacters` counts code points, as VARCHAR does. */
  text(field: string, value: string, limits?: { required?: boolean; maxCharacters?: number }): void;
  finite(field: string, value: number | undefined): void;
  /** Finite, and not negative. */
  notNegative(field: string, value: number | undefined): void;
  /** `zero` says what 0 stands for; it is returned for it. */
  count(field: string, value: number, range: { max: number; zero: number }): number;
  /** A list of at least one element. @returns whether it is */
  size(field: string, list: { readonly length: number }, range: { max: number }): boolean;
  /** Such a list, of ids of rows: at least 1 each. */
  ids(field: string, ids: readonly bigint[], range: { max: number }): void;
  /**
   * One that a google.protobuf.Timestamp may be, and is not further ahead of this machine's clock; undefined is well.
   * @returns whether it is
   */
  time(field: string, value: Timestamp | undefined, limits?: { maxAheadHours?: number }): boolean;
}

/** Begins the checks of one request. */
export function startChecks(): FieldChecks {
  const violations: FieldViolation[] = [];
  const add = (field: string, description: string): void => {
    violations.push({ field, description });
  };
  const finite = (field: string, value: number | undefined): void => {
    if (value !== undefined && !Number.isFinite(value)) add(field, `must be a finite number, is ${value}`);
  };
  const size = (
    field: string,
    { length }: { readonly length: number },
    { max }: { max: number },
  ): boolean => {
    if (length >= 1 && length <= max) return true;
    add(field, `must be 1 to ${max}, are ${length}`);
    return false;
  };
  return {
    violations,
    add,
    throwIfAny() {
      if (violations.length > 0) throw invalidFields(violations);
    },
    finite,
    text(field, value, { required = false, maxCharacters } = {}) {
      if (value === "") {
        if (required) add(field, "must not be empty");
        return;
      }
      if (value.includes(NUL)) add(field, "must not contain NUL characters");
      if (maxCharacters !== undefined) {
        const characters = value.length <= maxCharacters ? value.length : countCodePoints(value);
        if (characters > maxCharacters) {
          add(field, `must be at most ${maxCharacters} characters, has ${characters}`);
        }
        return;
      }
      const bytes = Buffer.byteLength(value);
      if (bytes > MAX_TEXT_BYTES)
        add(field, `must be at most ${MAX_TEXT_BYTES} bytes of UTF-8, has ${bytes}`);
    },
    notNegative(field, value) {
      finite(field, value);
      if (value !== undefined && value < 0 && Number.isFinite(value)) {
        add(field, `must not be negative, is ${value}`);
      }
    },
    count(field, value, { max, zero }) {
      if (value === 0) return zero;
      if (value < 0 || value > max) add(field, `must be 1 to ${max}, or 0 for ${zero}; is ${value}`);
      return value;
    },
    size,
    ids(field, ids, range) {
      if (!size(field, ids, range)) return;
      for (const [i, id] of ids.entries()) if (id < 1n) add(`${field}[${i}]`, `must be at least 1, is ${id}`);
    },
    time(field, value, { maxAheadHours } = {}) {
      if (!value) return true;
      if (!isValidTimestamp(value)) {
        add(field, "must be a time of the years 1 to 9999 with 0 to 999999999 nanos");
        return false;
      }
      if (maxAheadHours === undefined || timestampMs(value) <= Date.now() + maxAheadHours * 3_600_000)
        return true;
      add(field, `must not be more than ${maxAheadHours} hours ahead`);
      return false;
    },
  };
}

function countCodePoints(text: string): number {
  let count = 0;
  for (const _ of text) count++;
  return count;
}
