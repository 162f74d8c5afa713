import { KindredError } from "@kindred/errors";
import type { ByteSource } from "./byte-source.ts";
import type { StackItem } from "./globals.ts";
import { MAX_INTEGER_BYTES } from "./limits.ts";
import type { Machine } from "./machine.ts";
import {
  decodeLong,
  decodeRawUnicodeEscape,
  decodeStringLiteral,
  decodeUtf8,
  isAscii,
  parseDecimal,
  parseFloatLiteral,
} from "./python-text.ts";
import { toInteger } from "./value.ts";

type Run = (machine: Machine, source: ByteSource) => void;

/** What each opcode does, by its byte. Names, codes and meaning are those of CPython's Lib/pickletools.py. */
export const OPCODES: Readonly<Record<number, Run | undefined>> = {
  // PROTO, FRAME
  0x80: (machine, source) => {
    const protocol = source.uint8();
    if (protocol > 5) {
      throw new KindredError(
        "unimplemented",
        `the pickle is of protocol ${protocol}: write it with pickle.dump(…, protocol=5) or less`,
      );
    }
    if (machine.position !== 0) throw machine.damaged("it begins anew");
  },
  0x95: (machine, source) => {
    const length = source.uint64();
    if (length > source.left) throw machine.damaged(`a frame of ${length} bytes has ${source.left}`);
  },

  // NONE, NEWTRUE, NEWFALSE
  0x4e: (machine) => machine.push(null),
  0x88: (machine) => machine.push(true),
  0x89: (machine) => machine.push(false),

  // INT, BININT, BININT1, BININT2, LONG, LONG1, LONG4
  0x49: (machine, source) => {
    const written = source.line().toString("latin1");
    if (written === "00" || written === "01") machine.push(written === "01");
    else machine.push(decimal(machine, written));
  },
  0x4a: (machine, source) => machine.push(source.int32()),
  0x4b: (machine, source) => machine.push(source.uint8()),
  0x4d: (machine, source) => machine.push(source.uint16()),
  0x4c: (machine, source) =>
    machine.push(decimal(machine, source.line().toString("latin1").replace(/L$/, ""))),
  0x8a: (machine, source) => machine.push(long(machine, source, source.uint8())),
  0x8b: (machine, source) => machine.push(long(machine, source, source.int32())),

  // FLOAT, BINFLOAT
  0x46: (machine, source) => {
    const value = parseFloatLiteral(source.line().toString("latin1").trim());
    if (value === undefined) throw machine.damaged("a float is none");
    machine.push(value);
  },
  0x47: (machine, source) => machine.push(source.float64BigEndian()),

  // STRING, BINSTRING, SHORT_BINSTRING: Python 2's str
  0x53: (machine, source) => {
    const bytes = decodeStringLiteral(source.line());
    if (!bytes) throw machine.damaged("a string is no literal");
    machine.push(python2String(bytes));
  },
  0x54: (machine, source) => {
    const length = source.int32();
    if (length < 0) throw machine.damaged("a string has a negative length");
    machine.push(python2String(source.take(length)));
  },
  0x55: (machine, source) => machine.push(python2String(source.take(source.uint8()))),

  // BINBYTES, SHORT_BINBYTES, BINBYTES8, BYTEARRAY8
  0x42: (machine, source) => machine.push(copy(source.take(source.uint32()))),
  0x43: (machine, source) => machine.push(copy(source.take(source.uint8()))),
  0x8e: (machine, source) => machine.push(copy(source.take(source.uint64()))),
  0x96: (machine, source) => machine.push(copy(source.take(source.uint64()))),

  // UNICODE, BINUNICODE, SHORT_BINUNICODE, BINUNICODE8
  0x56: (machine, source) => {
    const line = source.line();
    machine.push(text(machine, () => decodeRawUnicodeEscape(line)));
  },
  0x58: (machine, source) => pushUtf8(machine, source.take(source.uint32())),
  0x8c: (machine, source) => pushUtf8(machine, source.take(source.uint8())),
  0x8d: (machine, source) => pushUtf8(machine, source.take(source.uint64())),

  // EMPTY_LIST, APPEND, APPENDS, LIST
  0x5d: (machine) => machine.push([]),
  0x61: (machine) => {
    const item = machine.pop();
    machine.append([item]);
  },
  0x65: (machine) => machine.append(machine.popMark()),
  0x6c: (machine) => machine.push(machine.popMark() as StackItem),

  // EMPTY_TUPLE, TUPLE, TUPLE1, TUPLE2, TUPLE3
  0x29: (machine) => machine.push([]),
  0x74: (machine) => machine.push(machine.popMark() as StackItem),
  0x85: (machine) => pushTuple(machine, 1),
  0x86: (machine) => pushTuple(machine, 2),
  0x87: (machine) => pushTuple(machine, 3),

  // EMPTY_DICT, DICT, SETITEM, SETITEMS
  0x7d: (machine) => machine.push(new Map()),
  0x64: (machine) => machine.push(machine.putAll(new Map(), machine.popMark())),
  0x73: (machine) => {
    const value = machine.pop();
    const key = machine.pop();
    machine.setItems([key, value]);
  },
  0x75: (machine) => machine.setItems(machine.popMark()),

  // EMPTY_SET, ADDITEMS, FROZENSET
  0x8f: (machine) => machine.push(new Set()),
  0x90: (machine) => machine.addToSet(machine.popMark()),
  0x91: (machine) => machine.push(machine.setOf(machine.popMark())),

  // MARK, POP, POP_MARK, DUP
  0x28: (machine) => machine.mark(),
  0x30: (machine) => machine.popItemOrMark(),
  0x31: (machine) => void machine.popMark(),
  0x32: (machine) => machine.push(machine.top()),

  // PUT, BINPUT, LONG_BINPUT, MEMOIZE, GET, BINGET, LONG_BINGET
  0x70: (machine, source) => machine.memoize(memoIndex(machine, source)),
  0x71: (machine, source) => machine.memoize(source.uint8()),
  0x72: (machine, source) => machine.memoize(source.uint32()),
  0x94: (machine) => machine.memoize(machine.memoSize),
  0x67: (machine, source) => machine.remember(memoIndex(machine, source)),
  0x68: (machine, source) => machine.remember(source.uint8()),
  0x6a: (machine, source) => machine.remember(source.uint32()),

  // GLOBAL, STACK_GLOBAL
  0x63: (machine, source) => machine.push(globalOfLines(machine, source)),
  0x93: (machine) => {
    const name = machine.pop();
    const module = machine.pop();
    if (typeof name !== "string" || typeof module !== "string") throw machine.damaged("a name is no text");
    machine.push(machine.global(module, name));
  },

  // REDUCE, NEWOBJ, NEWOBJ_EX, INST, OBJ, BUILD
  0x52: call,
  0x81: call,
  0x92: (machine) => {
    const keywords = machine.pop();
    if (!(keywords instanceof Map) || keywords.size > 0)
      throw machine.damaged("an object is made with named arguments");
    call(machine);
  },
  0x69: (machine, source) => {
    const global = globalOfLines(machine, source);
    machine.push(machine.call(global, machine.popMark() as StackItem));
  },
  0x6f: (machine) => {
    const [callee, ...args] = machine.popMark();
    if (callee === undefined) throw machine.damaged("an object has no class");
    machine.push(machine.call(callee, args as StackItem));
  },
  0x62: (machine) => {
    const state = machine.pop();
    machine.build(state);
  },

  // PERSID, BINPERSID, EXT1, EXT2, EXT4, NEXT_BUFFER, READONLY_BUFFER: what is not in the file itself
  0x50: outside("a persistent id"),
  0x51: outside("a persistent id"),
  0x82: outside("an extension code"),
  0x83: outside("an extension code"),
  0x84: outside("an extension code"),
  0x97: outside("an out-of-band buffer"),
  0x98: outside("an out-of-band buffer"),
};

function outside(what: string): Run {
  return (machine) => {
    throw new KindredError(
      "unimplemented",
      `the pickle refers to ${what} at byte ${machine.position}, which is not in the file: write it with a plain pickle.dump(…)`,
    );
  };
}

function call(machine: Machine): void {
  const args = machine.pop();
  const callee = machine.pop();
  machine.push(machine.call(callee, args));
}

function globalOfLines(machine: Machine, source: ByteSource): StackItem {
  const module = text(machine, () => decodeUtf8(source.line()));
  const name = text(machine, () => decodeUtf8(source.line()));
  return machine.global(module, name);
}

function pushTuple(machine: Machine, length: number): void {
  const items = Array.from({ length }, () => machine.pop()).toReversed();
  machine.push(items as StackItem);
}

function pushUtf8(machine: Machine, bytes: Uint8Array): void {
  machine.push(text(machine, () => decodeUtf8(bytes)));
}

function text(machine: Machine, decode: () => string): string {
  try {
    return decode();
  } catch (error) {
    // A source that is cut short says so itself.
    if (error instanceof KindredError) throw error;
    throw machine.damaged("a text is not UTF-8");
  }
}

function decimal(machine: Machine, written: string): number | bigint {
  const value = parseDecimal(written);
  if (value === undefined) throw machine.damaged("an integer is none, or too long");
  return toInteger(value);
}

function long(machine: Machine, source: ByteSource, length: number): number | bigint {
  if (length < 0 || length > MAX_INTEGER_BYTES)
    throw machine.damaged(`an integer has ${length} bytes (at most ${MAX_INTEGER_BYTES})`);
  return toInteger(decodeLong(source.take(length)));
}

function memoIndex(machine: Machine, source: ByteSource): number {
  const index = Number(parseDecimal(source.line().toString("latin1")) ?? -1n);
  if (!Number.isSafeInteger(index) || index < 0) throw machine.damaged("a number of the memo is none");
  return index;
}

function python2String(bytes: Buffer): string | Uint8Array {
  return isAscii(bytes) ? bytes.toString("latin1") : copy(bytes);
}

function copy(bytes: Uint8Array): Uint8Array {
  return new Uint8Array(bytes);
}
