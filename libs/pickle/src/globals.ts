import type { Budget } from "./limits.ts";
import { makeArray, parseDtype, type Dtype } from "./numpy.ts";
import { NumpyArray } from "./numpy-array.ts";
import { dateOf, dateTimeOf, offsetOf, timedeltaOf, timeOf } from "./temporal.ts";
import { Complex, Global, Temporal, type PickleValue } from "./value.ts";

/** What stands on the stack and is no value: parts of which values are made. */
export class DtypePart {
  readonly dtype: Dtype;

  constructor(dtype: Dtype) {
    this.dtype = dtype;
  }
}

export type StackItem = PickleValue | Global | DtypePart;

/** Makes what Python would make by a call; a text says why these arguments are none that Python writes. */
type Construct = (args: readonly StackItem[], budget: Budget) => StackItem | Refused;

/** Why a call cannot be followed. */
export class Refused {
  readonly reason: string;

  constructor(reason: string) {
    this.reason = reason;
  }
}

const ODD = new Refused("has arguments that Python does not write");

/** A name that may stand in a pickle but is never called: only what it is called with says what the pickle is about. */
const inert: Construct = () =>
  new Refused("makes an object of a class, and no class is ever made an object of here");

const set: Construct = ([items = []], budget) => {
  if (!Array.isArray(items)) return ODD;
  budget.charge(16 * items.length);
  return items.every(isHashable) ? new Set(items) : new Refused("has an element that cannot be hashed");
};

const list: Construct = ([items = []], budget) => {
  if (!Array.isArray(items)) return ODD;
  budget.charge(8 * items.length);
  return [...items];
};

const dict: Construct = ([pairs = []], budget) => {
  if (!Array.isArray(pairs)) return ODD;
  budget.charge(16 * pairs.length);
  const map = new Map<PickleValue, PickleValue>();
  for (const pair of pairs) {
    if (!Array.isArray(pair) || pair.length !== 2) return ODD;
    const [key, value] = pair as [PickleValue, PickleValue];
    if (!isHashable(key)) return new Refused("has a key that cannot be hashed");
    map.set(key, value);
  }
  return map;
};

/** `bytes(…)` and `bytearray(…)`: of nothing, of bytes, or (before protocol 3) of a text in Latin-1. */
const bytes: Construct = ([source, encoding], budget) => {
  if (source === undefined) return new Uint8Array();
  if (source instanceof Uint8Array && encoding === undefined) {
    budget.charge(source.length);
    return new Uint8Array(source);
  }
  return encoding === undefined ? ODD : encodeLatin1([source, encoding], budget);
};

/** `_codecs.encode(text, "latin1")`, by which Python 3 writes bytes in protocols 0 to 2. */
const encodeLatin1: Construct = ([text, encoding], budget) => {
  if (typeof text !== "string" || (encoding !== "latin1" && encoding !== "latin-1")) return ODD;
  budget.charge(text.length);
  // oxlint-disable-next-line no-control-regex -- all of Latin-1 is meant
  return /^[\0-\xff]*$/.test(text) ? new Uint8Array(Buffer.from(text, "latin1")) : ODD;
};

const complex: Construct = ([real, imaginary]) =>
  typeof real === "number" && typeof imaginary === "number" ? new Complex(real, imaginary) : ODD;

const withOffset =
  (kind: "datetime" | "time", text: (state: Uint8Array, offset: string) => string | undefined): Construct =>
  ([state, zone]) => {
    if (zone !== undefined && !(zone instanceof Temporal && zone.kind === "timezone")) return ODD;
    const found = text(bytesOf(state) ?? new Uint8Array(), zone?.text ?? "");
    return found === undefined ? ODD : new Temporal(kind, found);
  };

const date: Construct = ([state]) => {
  const text = dateOf(bytesOf(state) ?? new Uint8Array());
  return text === undefined ? ODD : new Temporal("date", text);
};

const timedelta: Construct = ([days, seconds, microseconds]) =>
  timedeltaOf(days, seconds, microseconds) ?? ODD;

const timezone: Construct = ([delta]) => {
  const offset = delta instanceof Temporal && delta.kind === "timedelta" ? offsetOf(delta) : undefined;
  return offset === undefined ? ODD : new Temporal("timezone", offset);
};

const dtype: Construct = ([code]) => {
  if (typeof code !== "string") return ODD;
  const parsed = parseDtype(code);
  return typeof parsed === "string" ? new Refused(parsed) : new DtypePart(parsed);
};

/** `_reconstruct(ndarray, (0,), b"b")`: an empty array that BUILD fills. */
const reconstruct: Construct = ([type]) =>
  type instanceof Global && type.path === "numpy.ndarray"
    ? new NumpyArray("uint8", [0], new Uint8Array())
    : ODD;

const scalar: Construct = ([type, value], budget) => {
  if (!(type instanceof DtypePart) || type.dtype.kind === "O") return ODD;
  const state = bytesOf(value);
  if (!state) return ODD;
  const array = makeArray(type.dtype, [], false, state, budget);
  return typeof array === "string" ? new Refused(array) : array.item(0);
};

const fromBuffer: Construct = ([buffer, type, shape, order], budget) => {
  if (!(buffer instanceof Uint8Array) || !(type instanceof DtypePart) || (order !== "C" && order !== "F"))
    return ODD;
  const array = makeArray(type.dtype, shape, order === "F", buffer, budget);
  return typeof array === "string" ? new Refused(array) : array;
};

const BUILTINS: Record<string, Construct> = {
  bytearray: bytes,
  bytes,
  complex,
  dict,
  frozenset: set,
  list,
  object: inert,
  set,
  tuple: list,
};
const MULTIARRAY: Record<string, Construct> = { _reconstruct: reconstruct, scalar };
const COPYREG: Record<string, Construct> = { _reconstructor: inert };

/** All that may be named. Python 2 and numpy before 2.0 have other names for the same modules. */
const MODULES: Record<string, Record<string, Construct>> = {
  builtins: BUILTINS,
  __builtin__: BUILTINS,
  collections: { OrderedDict: dict },
  copyreg: COPYREG,
  copy_reg: COPYREG,
  _codecs: { encode: encodeLatin1 },
  datetime: {
    date,
    datetime: withOffset("datetime", dateTimeOf),
    time: withOffset("time", timeOf),
    timedelta,
    timezone,
  },
  numpy: { dtype, ndarray: inert },
  "numpy.core.multiarray": MULTIARRAY,
  "numpy._core.multiarray": MULTIARRAY,
  "numpy.core.numeric": { _frombuffer: fromBuffer },
  "numpy._core.numeric": { _frombuffer: fromBuffer },
};

/** How to make what is named; undefined for everything that a pickle may not name. */
export function constructorOf(module: string, name: string): Construct | undefined {
  const names = Object.hasOwn(MODULES, module) ? MODULES[module] : undefined;
  return names && Object.hasOwn(names, name) ? names[name] : undefined;
}

/** The bytes that something is; Python 2 has its bytes as texts. */
export function bytesOf(value: unknown): Uint8Array | undefined {
  if (value instanceof Uint8Array) return value;
  return typeof value === "string" ? Buffer.from(value, "latin1") : undefined;
}

/** Whether it may be a key. Tuples and frozen sets are what lists and sets are here, so that these are let through. */
export function isHashable(value: unknown): value is PickleValue {
  return !(value instanceof Map) && !isPart(value);
}

export function isPart(value: unknown): value is Global | DtypePart {
  return value instanceof Global || value instanceof DtypePart;
}
