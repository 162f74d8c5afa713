import { createClient, type ConnectRouter } from "@connectrpc/connect";
import { describe, expect, test } from "@jest/globals";
import { OperationKind } from "@kindred/contracts/common/v1";
import {
  GenerationStatus,
  OperationService,
  RetentionService,
} from "@kindred/contracts/generation-tracking/v1";
import { plainOperation } from "@kindred/operations/operation-fixture";
import { createInMemoryTransport } from "@kindred/rpc";
import { problemsOf, silentLogger, untouchable } from "@kindred/testing";
import type { OperationStore } from "../../domain/operations/operation.ts";
import { addOperationService } from "../operations/routes.ts";
import { addRetentionService, type RetentionDeps } from "./routes.ts";

function clients(operations: Partial<OperationStore> = {}) {
  const store = untouchable<OperationStore>("the operations", operations);
  const routes = (router: ConnectRouter): void => {
    addOperationService(router, { operations: store });
    addRetentionService(router, untouchable<RetentionDeps>("the policies", { operations: store }));
  };
  const transport = createInMemoryTransport(routes, { logger: silentLogger() });
  return {
    retention: createClient(RetentionService, transport),
    operations: createClient(OperationService, transport),
  };
}

const NAME = "must be 1 to 63 small letters, digits, hyphens and underscores; is";

describe("bad input is refused, with every bad field named", () => {
  const { retention, operations } = clients();

  test("of policies", async () => {
    expect(await problemsOf(retention.putRetentionPolicy({}))).toEqual(["policy is required"]);
    expect(await problemsOf(retention.putRetentionPolicy({ policy: {} }))).toEqual([
      `policy.name ${NAME} ""`,
      "policy needs max_age or max_count: it would let nothing go",
    ]);
    const policy = {
      name: "Old ones",
      maxAge: { seconds: 59n, nanos: 999_999_999 },
      maxCount: -1n,
      statuses: [GenerationStatus.RUNNING, GenerationStatus.UNSPECIFIED],
      keepRating: 6,
      keepLabels: ["", "x".repeat(101)],
      every: { seconds: 400n * 86_400n },
    };
    const problems = [
      "policy.max_age must be 1 minute to 36500 days",
      "policy.every must be 1 minute to 366 days",
      "policy.max_count must not be negative, is -1",
      "policy.keep_rating must be 1 to 5, is 6",
      "policy.keep_labels[0] must not be empty",
      "policy.keep_labels[1] must be at most 100 characters, has 101",
      "policy.statuses[0] must be completed, failed or cancelled: generations that run stay",
      "policy.statuses[1] must be completed, failed or cancelled; is 0",
    ];
    expect(await problemsOf(retention.putRetentionPolicy({ policy }))).toEqual([
      `policy.name ${NAME} "Old ones"`,
      ...problems,
    ]);
    const which = { case: "policy" as const, value: { ...policy, name: "" } };
    expect(await problemsOf(retention.previewRetention({ which }))).toEqual(problems);
  });

  test("of names and keys", async () => {
    expect(await problemsOf(retention.previewRetention({}))).toEqual([
      "which must be set: give name or policy",
    ]);
    expect(await problemsOf(retention.previewRetention({ which: { case: "name", value: "é" } }))).toEqual([
      `name ${NAME} "é"`,
    ]);
    expect(await problemsOf(retention.deleteRetentionPolicy({}))).toEqual([`name ${NAME} ""`]);
    const start = retention.startRetention({ name: "x".repeat(64), idempotencyKey: "k".repeat(201) });
    expect(await problemsOf(start)).toEqual([
      `name ${NAME} "${"x".repeat(64)}"`,
      "idempotency_key must be at most 200 characters, has 201",
    ]);
  });

  test("of operations", async () => {
    const id = "id must be that of an operation, 1 or more; is 0";
    expect(await problemsOf(operations.getOperation({}))).toEqual([id]);
    expect(await problemsOf(operations.cancelOperation({}))).toEqual([id]);
    expect(await problemsOf(Array.fromAsync(operations.watchOperation({})))).toEqual([id]);
    expect(await problemsOf(operations.listOperations({ policy: "A b", pageSize: 1001 }))).toEqual([
      "page_size must be 1 to 1000, or 0 for 50; is 1001",
      `policy ${NAME} "A b"`,
    ]);
    expect((await problemsOf(operations.listOperations({ pageToken: "page two" })))[0]).toContain(
      "page_token is not a token of this list",
    );
  });
});

test("operations are told in the contract's terms: the kind, and that they are about a policy", async () => {
  const get = async () => plainOperation({ kind: "retention", id: 12n, subject: "old" });
  const { operation } = await clients({ get }).operations.getOperation({ id: 12n });
  expect(operation).toMatchObject({
    id: 12n,
    kind: OperationKind.RETENTION,
    subject: { case: "policy", value: "old" },
  });
});
