import { dateTime64Of } from "./temporal.ts";
import { Temporal, toInteger, type PickleValue } from "./value.ts";

export type NumpyData =
  | Int8Array
  | Int16Array
  | Int32Array
  | BigInt64Array
  | Uint8Array
  | Uint16Array
  | Uint32Array
  | BigUint64Array
  | Float16Array
  | Float32Array
  | Float64Array
  | readonly PickleValue[];

const NOT_A_TIME = -(2n ** 63n);

/** A numpy array of any number of dimensions. */
export class NumpyArray {
  /** numpy's name of the element type: "float32", "int64", "bool", "str", "bytes", "object", "datetime64[ns]" … */
  readonly dtype: string;
  readonly shape: readonly number[];
  /** Elements in C order: the last index moves fastest. Booleans are bytes of 0 and 1; times are counts of their unit. */
  readonly data: NumpyData;

  constructor(dtype: string, shape: readonly number[], data: NumpyData) {
    this.dtype = dtype;
    this.shape = shape;
    this.data = data;
  }

  /** Elements in all. */
  get size(): number {
    return this.data.length;
  }

  /**
   * The element at this position of `data`, as Python's `item()` gives it: integers as numbers where that is exact, booleans,
   * times as Temporal, no time (NaT) as null.
   * @throws RangeError where there is none
   */
  item(position: number): PickleValue {
    const value = this.data[position];
    if (value === undefined) throw new RangeError(`there is no element ${position} of ${this.size}`);
    if (this.dtype === "bool") return value !== 0;
    if (typeof value !== "bigint" || this.dtype === "object") return value;
    const [, type, unit] = /^(datetime64|timedelta64)\[(\w+)\]$/.exec(this.dtype) ?? [];
    if (unit === undefined) return toInteger(value);
    if (value === NOT_A_TIME) return null;
    return type === "datetime64"
      ? dateTime64Of(value, unit)
      : new Temporal("timedelta64", `${value} ${unit}`);
  }
}
