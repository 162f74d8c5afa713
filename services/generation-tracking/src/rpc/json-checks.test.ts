import { expect, test } from "@jest/globals";
import { startChecks } from "@kindred/rpc";
import type { JsonObject } from "../domain/generation.ts";
import { checkJsonObject } from "./json-checks.ts";

// Requests in JSON carry halves of surrogate pairs; in protobuf's own form there are none.
test.each<[JsonObject, string[]]>([
  [{ a: "😀", "😀": ["\ud83d\ude00", 1, null, true] }, []],
  [{ a: ["ok", "x\ud800"] }, ["config.a[1]"]],
  [{ a: { "\udc00": 1 } }, ["config.a"]],
  [{ a: "\0", "\0": 1 }, ["config.a", "config"]],
  [{ a: Number.NaN }, ["config.a"]],
  [{ a: "x".repeat(2 ** 20) }, ["config"]],
])("what JSONB cannot keep is refused with its path: case %#", (json, fields) => {
  const checks = startChecks();
  checkJsonObject(json, "config", checks);
  expect(checks.violations.map(({ field }) => field)).toEqual(fields);
});
