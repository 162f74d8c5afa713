import { create } from "@bufbuild/protobuf";
import { expect, test } from "@jest/globals";
import { ServiceDatabaseSchema } from "@kindred/contracts/metrics/v1";
import pc from "picocolors";
import { renderDatabases } from "./render-databases.ts";

const terminal = { colors: pc.createColors(false), width: undefined };
const table = (name: string, tableBytes: bigint, more: object = {}) => ({
  name,
  tableBytes,
  indexBytes: 1024n,
  estimatedRows: 12_345n,
  ...more,
});
const databases = [
  create(ServiceDatabaseSchema, {
    service: "metrics",
    usage: {
      schema: "metrics",
      serverVersion: "17.9",
      pool: { total: 4, idle: 1, waiting: 2, max: 15 },
      tables: [
        table("small", 1024n),
        table("system_metrics", 3n * 2n ** 30n, { partitions: 30 }),
        table("fresh", 2048n, { estimatedRows: undefined }),
        table("a", 10n),
        table("b", 11n),
        table("c", 12n),
        table("d", 13n),
      ],
    },
  }),
  create(ServiceDatabaseSchema, {
    service: "vector-store",
    usage: { schema: "vector_store", pool: { total: 1, idle: 1, max: 5 }, serverVersion: "17.9" },
  }),
];
const cells = (text: string): string[][] =>
  text
    .split("\n")
    .filter((line) => line.trim() !== "")
    .map((line) => line.trim().split(/\s{2,}/));

test("each service has its size and its connections; who waits is said only where somebody does", () => {
  const lines = cells(renderDatabases(terminal, databases, { all: false }));
  expect(lines).toContainEqual([
    "metrics",
    "metrics",
    "7",
    "3.0 GiB",
    "3 in use, 1 idle of 15; 2 wait",
    "17.9",
  ]);
  expect(lines).toContainEqual([
    "vector-store",
    "vector_store",
    "0",
    "0 bytes",
    "0 in use, 1 idle of 5",
    "17.9",
  ]);
});

test("the five largest tables come first, the others are one line", () => {
  const lines = cells(renderDatabases(terminal, databases, { all: false })).slice(4);
  expect(lines).toEqual([
    ["metrics", "system_metrics", "~12,345", "3.0 GiB", "1.0 KiB", "30"],
    ["metrics", "fresh", "unknown", "2.0 KiB", "1.0 KiB"],
    ["metrics", "small", "~12,345", "1.0 KiB", "1.0 KiB"],
    ["metrics", "d", "~12,345", "13 bytes", "1.0 KiB"],
    ["metrics", "c", "~12,345", "12 bytes", "1.0 KiB"],
    ["metrics", "2 smaller ones", "21 bytes", "2.0 KiB"],
  ]);
});

test("all of them where they are asked for", () => {
  const lines = cells(renderDatabases(terminal, databases, { all: true }));
  expect(lines.map(([, name]) => name)).toEqual(expect.arrayContaining(["a", "b", "c", "d", "fresh"]));
  expect(JSON.stringify(lines)).not.toContain("smaller");
});

test("nothing where no service answered", () => {
  expect(renderDatabases(terminal, [], { all: true })).toBe("");
});
