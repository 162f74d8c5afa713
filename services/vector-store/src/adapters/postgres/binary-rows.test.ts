import { expect, test } from "@jest/globals";
import { binaryArray, copyChunks, rowColumn } from "./binary-rows.ts";
import { BIGINT, INTEGER, JSONB, SMALLINT, TEXT, toBinary, UUID } from "./binary-types.ts";

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString("hex");

test("values, byte for byte", () => {
  expect(hex(toBinary(SMALLINT, "-2"))).toBe("fffe");
  expect(hex(toBinary(INTEGER, "258"))).toBe("00000102");
  expect(hex(toBinary(BIGINT, "-9223372036854775808"))).toBe("8000000000000000");
  expect(hex(toBinary(TEXT, "é"))).toBe("c3a9");
  expect(hex(toBinary(JSONB, "{}"))).toBe("017b7d");
  expect(hex(toBinary(UUID, "00112233-4455-6677-8899-aabbccddeeff"))).toBe(
    "00112233445566778899aabbccddeeff",
  );
});

test("rows as COPY reads them", () => {
  const keys = ["a", "bc"];
  const columns = [
    rowColumn("key", TEXT, (row) => keys[row]),
    rowColumn("number", INTEGER, (row) => (row === 0 ? "7" : undefined)),
  ];
  expect(hex(Buffer.concat([...copyChunks({ count: 2, columns })]))).toBe(
    [
      "5047434f50590aff0d0a00",
      "0000000000000000",
      "0002 00000001 61 00000004 00000007",
      "0002 00000002 6263 ffffffff",
      "ffff",
    ]
      .join("")
      .replaceAll(" ", ""),
  );
});

test("chunks are of one size, but for a value that is larger, and together all rows", () => {
  const values = Array.from({ length: 40 }, (_, i) => "x".repeat(i === 20 ? 1_000_000 : 30_000));
  const columns = [rowColumn("key", TEXT, (row) => values[row])];
  const chunks = [...copyChunks({ count: values.length, columns })];
  expect(chunks.filter((chunk) => chunk.length > 256 * 1024)).toHaveLength(1);
  const total = values.reduce((sum, value) => sum + 2 + 4 + value.length, 0);
  expect(Buffer.concat(chunks)).toHaveLength(19 + total + 2);
});

test("a column as an array", () => {
  const column = rowColumn("key", TEXT, (row) => ["a", undefined][row]);
  expect(hex(binaryArray(column, 2, 25))).toBe(
    "00000001 00000001 00000019 00000002 00000001 00000001 61 ffffffff".replaceAll(" ", ""),
  );
  expect(hex(binaryArray(column, 0, 4_000_000_000))).toBe("0000000000000001ee6b2800");
});
