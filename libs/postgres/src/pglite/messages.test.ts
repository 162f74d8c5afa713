import { describe, expect, test } from "@jest/globals";
import * as fc from "fast-check";
import {
  finalState,
  MessageReader,
  query,
  renameStatement,
  sqlOf,
  startup,
  type Message,
} from "./messages.ts";

function message(type: string, ...parts: (string | Buffer)[]): Message {
  const body = Buffer.concat(parts.map((part) => (typeof part === "string" ? Buffer.from(part) : part)));
  const header = Buffer.alloc(5);
  header.write(type, 0);
  header.writeInt32BE(4 + body.length, 1);
  return { type, bytes: Buffer.concat([header, body]) };
}

/** The same bytes in pieces of these sizes, over and over. */
function pieces(bytes: Buffer, sizes: readonly number[]): Buffer[] {
  const result: Buffer[] = [];
  for (let at = 0, i = 0; at < bytes.length; i++) {
    const size = sizes[i % sizes.length] as number;
    result.push(bytes.subarray(at, at + size));
    at += size;
  }
  return result;
}

describe("MessageReader", () => {
  test("finds the same messages however the network cuts them", () => {
    const texts = fc.array(fc.string({ maxLength: 200, unit: "grapheme" }), { maxLength: 20 });
    const cuts = fc.array(fc.integer({ min: 1, max: 40 }), { minLength: 1, maxLength: 10 });
    fc.assert(
      fc.property(texts, cuts, (sqls, sizes) => {
        const reader = new MessageReader();
        const found: (string | undefined)[] = [];
        const clean = sqls.map((sql) => sql.replaceAll("\0", ""));
        for (const piece of pieces(Buffer.concat([startup("me", "db"), ...clean.map(query)]), sizes)) {
          reader.push(piece);
          if (found.length === 0) {
            const opening = reader.nextOpening();
            if (opening?.kind !== "startup") continue;
            found.push([...opening.parameters].join(" "));
          }
          for (let next = reader.next(); next; next = reader.next()) found.push(sqlOf(next));
        }
        expect(found).toEqual(["user,me database,db", ...clean]);
      }),
    );
  });

  test.each([Buffer.from("GET / HTTP/1.1\r\n"), Buffer.from([0, 0, 0, 3, 0, 0, 0, 0])])(
    "refuses %j",
    (bytes) => {
      const reader = new MessageReader();
      reader.push(bytes);
      expect(() => reader.nextOpening()).toThrow("not an opening message");
    },
  );
});

/** The body of the message after its statement was renamed. */
const rename = (given: Message): string =>
  renameStatement(given, (name) => `c1_${name}`).toString("latin1", 5);

describe("renameStatement", () => {
  test("changes the statement's name and nothing else", () => {
    const values = Buffer.from([0, 1, 0, 1, 0, 1, 0, 0, 0, 2, 65, 0, 0, 0]);
    expect(rename(message("P", "ask\0", "SELECT 'ask'\0", Buffer.from([0, 0])))).toBe(
      "c1_ask\0SELECT 'ask'\0\0\0",
    );
    expect(rename(message("B", "portal\0ask\0", values))).toBe(
      `portal\0c1_ask\0${values.toString("latin1")}`,
    );
    expect(rename(message("D", "Sask\0"))).toBe("Sc1_ask\0");
    expect(rename(message("C", "Sask\0"))).toBe("Sc1_ask\0");
  });

  test("leaves the unnamed statement, portals and other messages as they are", () => {
    for (const given of [
      message("P", "\0SELECT 1\0", Buffer.from([0, 0])),
      message("B", "portal\0\0", Buffer.alloc(6)),
      message("D", "Pask\0"),
      message("Q", "ask\0"),
      message("S"),
    ]) {
      expect(renameStatement(given, () => "never")).toBe(given.bytes);
    }
  });

  test("keeps the length in step", () => {
    const renamed = renameStatement(message("D", "Sask\0"), () => "a much longer name");
    expect(renamed.readInt32BE(1)).toBe(renamed.length - 1);
  });
});

test("the state at the end of a reply", () => {
  const ready = (state: string): Buffer => message("Z", state).bytes;
  expect(finalState(ready("I"))).toBe("idle");
  expect(finalState(Buffer.concat([message("C", "SELECT 1\0").bytes, ready("T")]))).toBe("transaction");
  expect(finalState(ready("E"))).toBe("failed");
  expect(finalState(message("1").bytes)).toBeUndefined();
  expect(finalState(new Uint8Array())).toBeUndefined();
});
