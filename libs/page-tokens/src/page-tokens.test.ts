import { createHash } from "node:crypto";
import { describe, expect, test } from "@jest/globals";
import { isKindredError } from "@kindred/errors";
import * as fc from "fast-check";
import { canonical } from "./canonical.ts";
import { pageTokens } from "./page-tokens.ts";

const int64 = fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n });
const text = fc.string({ unit: "grapheme" });
const positions = fc.tuple(fc.oneof(int64, fc.double(), fc.constant(undefined)), int64, text);
const tokens = pageTokens({ name: "songs", position: [["none", "integer", "float"], "integer", "text"] });

const scalars = fc.oneof(text, fc.boolean(), fc.integer(), int64, fc.constant(null), fc.constant(undefined));
const conditions = fc.dictionary(
  fc.string(),
  fc.oneof(scalars, fc.array(scalars), fc.dictionary(text, scalars)),
);

/** What is said of page_token when it is refused. */
function refusal(open: () => unknown): string | undefined {
  try {
    open();
    return undefined;
  } catch (error) {
    if (!isKindredError(error)) throw error;
    expect(error.kind).toBe("invalid-argument");
    expect(error.violations.map(({ field }) => field)).toEqual(["page_token"]);
    return error.violations[0]?.description;
  }
}

const REFUSED = "is not a token of this list: give next_page_token as it was returned, with the same filters";

/** A token whose sum is right, whatever it holds. */
function forge(content: Buffer): string {
  const sum = createHash("sha256")
    .update(canonical(["songs", {}]))
    .update(content)
    .digest()
    .subarray(0, 8);
  return Buffer.concat([content, sum]).toString("base64url");
}

describe("a page token", () => {
  test("gives back its position, for the same conditions", () => {
    fc.assert(
      fc.property(conditions, positions, (list, position) => {
        expect(tokens.open(structuredClone(list), tokens.seal(list, position))).toEqual(position);
      }),
    );
  });

  test("is refused for any other conditions", () => {
    fc.assert(
      fc.property(conditions, conditions, positions, (list, other, position) => {
        fc.pre(canonical(list) !== canonical(other));
        expect(refusal(() => tokens.open(other, tokens.seal(list, position)))).toBe(REFUSED);
      }),
    );
  });

  test("is refused by another list with the same conditions, in that list's words", () => {
    const other = pageTokens({ name: "albums", position: ["integer"], fixed: "artist" });
    const token = pageTokens({ name: "songs", position: ["integer"] }).seal({}, [1n]);
    expect(refusal(() => other.open({}, token))).toBe(
      "is not a token of this list: give next_page_token as it was returned, with the same artist",
    );
  });

  test("does not mind what is undefined, and the order of members", () => {
    const token = tokens.seal({ artist: "Ella", year: undefined, from: 5n }, [0.5, 1n, "b"]);
    expect(tokens.open({ from: 5n, label: undefined, artist: "Ella" }, token)).toEqual([0.5, 1n, "b"]);
  });

  test("is refused when any of its bits is another", () => {
    fc.assert(
      fc.property(positions, (position) => {
        const bytes = Buffer.from(tokens.seal({}, position), "base64url");
        for (let bit = 0; bit < 8 * bytes.length; bit++) {
          const changed = Buffer.from(bytes);
          changed[bit >> 3] = (changed[bit >> 3] as number) ^ (1 << (bit & 7));
          expect(refusal(() => tokens.open({}, changed.toString("base64url")))).toBe(REFUSED);
        }
      }),
      { numRuns: 5 },
    );
  });

  test("is refused when it is cut off, extended or garbage", () => {
    const token = tokens.seal({}, [undefined, 42n, "a"]);
    for (const bad of [
      "!",
      "x",
      "page two",
      `${token}A`,
      token.repeat(2),
      token.slice(0, -1),
      "A".repeat(32),
    ]) {
      expect(refusal(() => tokens.open({}, bad))).toBe(REFUSED);
    }
    fc.assert(
      fc.property(fc.string({ minLength: 1 }), (bad) => refusal(() => tokens.open({}, bad)) === REFUSED),
    );
  });

  test("is refused when the same bytes are written in another way", () => {
    const token = tokens.seal({}, [undefined, 42n, "a"]);
    const bytes = Buffer.from(token, "base64url");
    // One byte beyond a group of three: four bits of the last letter mean nothing.
    expect(bytes.length % 3).toBe(1);
    const digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    const last = digits[digits.indexOf(token.at(-1) as string) + 1];
    const others = [`${token.slice(0, -1)}${last}`, `${token}=`, `${token}==`, ` ${token}`, `${token}\n`];
    for (const other of others) {
      expect(Buffer.from(other, "base64url")).toEqual(bytes);
      expect(refusal(() => tokens.open({}, other))).toBe(REFUSED);
    }
  });

  test("is refused when its sum is right and its position is none of the list's", () => {
    const [none, integer, float] = [Buffer.of(0), Buffer.alloc(9, 1), Buffer.alloc(9, 2)];
    const textOf = (length: number, ...bytes: number[]): Buffer => Buffer.of(3, 0, 0, 0, length, ...bytes);
    const forged = (...parts: Buffer[]): string => forge(Buffer.concat([Buffer.of(3), ...parts]));
    expect(tokens.open({}, forged(none, integer, textOf(1, 65)))).toEqual([
      undefined,
      0x0101010101010101n,
      "A",
    ]);
    for (const parts of [
      [],
      [none],
      [none, integer],
      [none, float, textOf(1, 65)],
      [none, none, textOf(1, 65)],
      [textOf(1, 65), integer, textOf(1, 65)],
      [none, integer.subarray(0, 8)],
      [none, integer, textOf(1, 65).subarray(0, 4)],
      [none, integer, textOf(2, 65)],
      [none, integer, textOf(1, 0xff)],
      [none, integer, textOf(1, 65, 66)],
      [none, integer, textOf(1, 65), none],
      [Buffer.of(4), integer, textOf(1, 65)],
    ]) {
      expect(refusal(() => tokens.open({}, forged(...parts)))).toBe(REFUSED);
    }
  });

  test("of an earlier version is refused", () => {
    const content = Buffer.concat([Buffer.of(0), Buffer.alloc(9, 1), Buffer.of(3, 0, 0, 0, 0)]);
    for (const version of [1, 2]) {
      expect(refusal(() => tokens.open({}, forge(Buffer.concat([Buffer.of(version), content]))))).toBe(
        REFUSED,
      );
    }
    expect(tokens.open({}, forge(Buffer.concat([Buffer.of(3), content])))).toBeDefined();
  });

  test("is empty on the first page", () => {
    expect(tokens.open({}, "")).toBeUndefined();
  });
});

describe("conditions", () => {
  test("of different kinds are different", () => {
    const different = [1, 1n, "1", "1n", true, "true", null, "null", [], {}, [1], [[1]], "[1]", { a: 1 }];
    const tokensOf = different.map((value) => tokens.seal({ value }, [1n, 1n, ""]));
    expect(new Set(tokensOf).size).toBe(different.length);
  });

  test("that are no plain data are a fault of the calling code", () => {
    for (const value of [new Date(), new Map(), new Uint8Array(1), () => 1, Symbol("a")]) {
      expect(() => tokens.seal({ value }, [1n, 1n, ""])).toThrow(TypeError);
    }
    expect(() => tokens.seal({}, [1n, 2n ** 63n, ""])).toThrow("out of range");
  });
});
