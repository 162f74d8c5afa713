import { create } from "@bufbuild/protobuf";
import { expect, test } from "@jest/globals";
import { ServiceDatabaseSchema } from "@kindred/contracts/metrics/v1";
import { databaseSummary, tablesOf } from "./database-figures.ts";

const store = create(ServiceDatabaseSchema, {
  service: "vector-store",
  usage: {
    tables: [
      { name: "small", tableBytes: 1024n },
      { name: "indexed", tableBytes: 10n, indexBytes: 2n ** 62n },
      { name: "large", tableBytes: 2n ** 40n },
    ],
  },
});
const silent = create(ServiceDatabaseSchema, { service: "metrics" });

test("tables come by their size with their indexes, the largest first", () => {
  expect(tablesOf(store.usage).map(({ name }) => name)).toEqual(["indexed", "large", "small"]);
  expect(tablesOf(undefined)).toEqual([]);
});

test("all services in one line", () => {
  const plain = create(ServiceDatabaseSchema, {
    usage: { tables: [{ tableBytes: 1024n, indexBytes: 1024n }] },
  });
  expect(databaseSummary([plain, silent])).toBe("2.0 KiB in 1 table of 2 services");
  expect(databaseSummary([plain])).toBe("2.0 KiB in 1 table of 1 service");
});
