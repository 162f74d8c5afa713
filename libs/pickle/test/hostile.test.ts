import { describe, expect, test } from "@jest/globals";
import { isKindredError } from "@kindred/errors";
import fc from "fast-check";
import { readPickle, type PickleValue } from "../src/index.ts";

const pickle = (text: string): Buffer => Buffer.from(text, "latin1");
const global = (module: string, name: string): string => `c${module}\n${name}\n`;
const frombuffer = global("numpy.core.numeric", "_frombuffer");
const dtype = (code: string): string => `${global("numpy", "dtype")}(V${code}\nI00\nI01\ntR`;

function errorOf(bytes: Uint8Array): { kind: string; message: string; metadata: object } {
  try {
    readPickle(bytes);
  } catch (error) {
    if (isKindredError(error)) return error;
    throw error;
  }
  throw new Error("it was read");
}

describe("names that would run something", () => {
  test.each([
    ["posix", "system"],
    ["os", "system"],
    ["builtins", "eval"],
    ["builtins", "exec"],
    ["builtins", "getattr"],
    ["__builtin__", "apply"],
    ["subprocess", "Popen"],
    ["numpy.testing._private.utils", "runstring"],
    ["numpy", "load"],
    ["numpy.core.multiarray", "fromfile"],
    ["_codecs", "lookup"],
    ["datetime", "sys"],
    ["collections", "defaultdict"],
    ["__main__", "__proto__"],
    ["__proto__", "toString"],
    ["constructor", "constructor"],
    ["builtins", "constructor"],
    ["builtins", "hasOwnProperty"],
  ])("%s.%s is refused at the name", (module, name) => {
    const { kind, message, metadata } = errorOf(pickle(`(l${global(module, name)}(Vtouch x\ntRa.`));
    expect(kind).toBe("failed-precondition");
    expect(message).toContain(`names ${module}.${name} at byte 2`);
    expect(metadata).toEqual({ global: `${module}.${name}`, position: "2" });
  });

  test("however it is written", () => {
    const stack = "\x80\x04\x8c\x05posix\x8c\x06system\x93\x8c\x02ls\x85R.";
    const inst = "(Vls\niposix\nsystem\n.";
    const obj = `(${global("posix", "system")}Vls\no.`;
    const newobj = `\x80\x02${global("posix", "system")}(Vls\nt\x81.`;
    for (const text of [stack, inst, obj, newobj])
      expect(errorOf(pickle(text)).message).toMatch(/names posix\.system/);
  });

  test("a name with line breaks and escapes does not disturb the message", () => {
    const { message } = errorOf(pickle("\x80\x04\x8c\x06a\x1b[2J\n\x8c\x01b\x93."));
    // oxlint-disable-next-line no-control-regex -- that there is none
    expect(message).not.toMatch(/[\0-\x1f]/);
  });

  test("a harmless name does not help to make an object", () => {
    const made = `${global("copy_reg", "_reconstructor")}(${global("__main__", "Custom")}${global("__builtin__", "object")}NtR.`;
    expect(errorOf(pickle(made)).message).toContain("__main__.Custom");
    const plain = `${global("copy_reg", "_reconstructor")}(${global("__builtin__", "object")}${global("__builtin__", "object")}NtR.`;
    expect(errorOf(pickle(plain)).message).toMatch(/no class is ever made an object/);
    expect(errorOf(pickle(`${global("numpy", "ndarray")}.`)).kind).toBe("data-loss");
    expect(errorOf(pickle(`(l${global("numpy", "ndarray")}a.`)).kind).toBe("data-loss");
  });
});

describe("what asks for more than it brings", () => {
  test.each([
    ["a text of 4 GiB", "X\xff\xff\xff\xff"],
    ["bytes of 2^63", "\x8e\0\0\0\0\0\0\0\x80"],
    ["a frame of 2^40 bytes", "\x80\x04\x95\0\0\0\0\0\x01\0\0."],
    ["an integer of 2^31 bytes", "\x8b\xff\xff\xff\x7f"],
    ["an integer of negative length", "\x8b\xff\xff\xff\xff."],
    ["an integer of 100,000 digits", `I${"9".repeat(100_000)}\n.`],
    ["a memo of that number", `Np${"9".repeat(30)}\n.`],
    ["a bytearray of a billion zeros", `${global("builtins", "bytearray")}(I1000000000\ntR.`],
    [
      "an array of a shape that it has no data for",
      `${frombuffer}(C\x01a${dtype("u1")}(I1000000000\ntVC\ntR.`,
    ],
    ["an array of a billion empty texts", `${frombuffer}(C\0${dtype("S0")}(I1000000000\ntVC\ntR.`],
    ["an array of a negative shape", `${frombuffer}(C\x01a${dtype("u1")}(I-1\ntVC\ntR.`],
    [
      "a shape whose product is no number",
      `${frombuffer}(C\0${dtype("u1")}(${"I9007199254740991\n".repeat(9)}tVC\ntR.`,
    ],
  ])("%s", (_name, text) => {
    const before = process.memoryUsage().rss;
    expect(["data-loss", "resource-exhausted", "failed-precondition"]).toContain(errorOf(pickle(text)).kind);
    expect(process.memoryUsage().rss - before).toBeLessThan(200 * 2 ** 20);
  });

  test("copies of a part of itself, again and again", () => {
    const one = `${frombuffer}(g1\n${dtype("u1")}(I100000\ntVC\ntR0`;
    const text = `B\xa0\x86\x01\0${"x".repeat(100_000)}p1\n${one.repeat(10_000)}.`;
    expect(errorOf(pickle(text)).kind).toBe("resource-exhausted");
    const sets = `(${"I1\n".repeat(10_000)}lp1\n0${`${global("builtins", "list")}(g1\ntR0`.repeat(20_000)}N.`;
    expect(errorOf(pickle(sets)).kind).toBe("resource-exhausted");
  }, 60_000);

  test("ten lists in ten lists in ten lists …", () => {
    const level = (i: number): string => `(${`g${i}\n`.repeat(10)}lp${i + 1}\n0`;
    const text = `]p0\n0${Array.from({ length: 30 }, (_, i) => level(i)).join("")}g30\n.`;
    expect(errorOf(pickle(text))).toMatchObject({
      kind: "resource-exhausted",
      message: expect.stringContaining("values"),
    });
    const few = `]p0\n0${[0, 1].map(level).join("")}g2\n.`;
    expect((readPickle(pickle(few)) as PickleValue[][]).flat(1)).toHaveLength(100);
  });

  test("a million lists inside each other", () => {
    expect(errorOf(pickle(`${"(".repeat(1_000_000)}${"l".repeat(1_000_000)}.`))).toMatchObject({
      kind: "resource-exhausted",
      message: "the pickle has more than 200 containers inside each other",
    });
    expect(readPickle(pickle(`${"(".repeat(200)}${"l".repeat(200)}.`))).toHaveLength(1);
  }, 60_000);

  test.each([
    ["a list", "]p0\ng0\na."],
    ["a dict", "}p0\nNg0\ns."],
    ["a list in a dict in the list", "]p0\n}Vx\ng0\nsa."],
  ])("%s that contains itself", (_name, text) => {
    expect(errorOf(pickle(text))).toMatchObject({
      kind: "data-loss",
      message: expect.stringContaining("contains itself"),
    });
  });
});

describe("what is not in the file", () => {
  test.each([
    ["a persistent id", "Pid\n."],
    ["a persistent id", "\x80\x02NQ."],
    ["an extension code", "\x80\x02\x82\x01."],
    ["an out-of-band buffer", "\x80\x05\x97."],
    ["protocol 6", "\x80\x06N."],
  ])("%s", (what, text) => {
    expect(errorOf(pickle(text))).toMatchObject({
      kind: "unimplemented",
      message: expect.stringContaining(what),
    });
  });
});

describe("Python 2", () => {
  test("its texts", () => {
    expect(readPickle(pickle("(lp0\nS'it\\'s \\x41\\n'\np1\naU\x02abaT\x01\0\0\0ca."))).toEqual([
      "it's A\n",
      "ab",
      "c",
    ]);
    expect(readPickle(pickle("U\x02\xc3\xab."))).toEqual(Uint8Array.of(0xc3, 0xab));
    for (const bad of ["S'open\n.", "Sbare\n.", "S'a'b'\n.", "S'\\'\n.", "S'\\x4'\n."])
      expect(errorOf(pickle(bad)).kind).toBe("data-loss");
  });

  test("its arrays", () => {
    const state = `(I1\n(I2\nt${dtype("i4")}(I3\nS'<'\nNNNI-1\nI-1\nI0\ntbI00\nU\x08\x01\0\0\0\xff\0\0\0tb`;
    const array = `${global("numpy.core.multiarray", "_reconstruct")}(${global("numpy", "ndarray")}(I0\ntS'b'\ntR${state}.`;
    expect(readPickle(pickle(array))).toMatchObject({ dtype: "int32", data: Int32Array.of(1, 255) });
  });
});

describe("anything", () => {
  // Letters and opcodes that lead somewhere are more likely than others.
  const opcode = fc.constantFrom(
    ...[..."(.0123FIJKLMNRSTUVX]abcdeghijlopqrstu})GBC"].map((c) => c.charCodeAt(0)),
    0x80,
    0x81,
    0x85,
    0x86,
    0x87,
    0x88,
    0x8a,
    0x8c,
    0x8f,
    0x90,
    0x91,
    0x93,
    0x94,
    0x95,
    0x96,
  );
  const piece = fc.oneof(
    opcode.map((code) => Uint8Array.of(code)),
    fc.uint8Array({ maxLength: 8 }),
    fc
      .constantFrom(global("builtins", "set"), frombuffer, dtype("f4"), dtype("M8"), "I5\n", "Vx\n")
      .map(pickle),
  );

  test("is read, or refused by an error that says so", () => {
    const read = fc.property(fc.array(piece, { maxLength: 40 }), fc.boolean(), (pieces, stops) => {
      try {
        readPickle(Buffer.concat([...pieces, ...(stops ? [pickle(".")] : [])]));
      } catch (error) {
        if (!isKindredError(error)) throw error;
      }
    });
    expect(fc.check(read, { numRuns: 5_000 })).toMatchObject({ failed: false });
  }, 60_000);
});
