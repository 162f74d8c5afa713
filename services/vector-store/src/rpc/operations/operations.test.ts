import { createClient } from "@connectrpc/connect";
import { expect, test } from "@jest/globals";
import { OperationKind } from "@kindred/contracts/common/v1";
import { OperationService } from "@kindred/contracts/vector-store/v1";
import { plainOperation } from "@kindred/operations/operation-fixture";
import { createInMemoryTransport } from "@kindred/rpc";
import { problemsOf, silentLogger } from "@kindred/testing";
import type { OperationStore } from "../../domain/operations/operation.ts";
import { operationRoutes } from "./routes.ts";

// What all services' operations have in common is tested where it is: in libs/operations/src/rpc.

function client(list: OperationStore["list"]) {
  const operations = { list } as OperationStore;
  return createClient(
    OperationService,
    createInMemoryTransport((router) => router.service(OperationService, operationRoutes({ operations })), {
      logger: silentLogger(),
    }),
  );
}

test("each kind has its place in the contract, and what it is about is a collection", async () => {
  const kinds = ["index-build", "index-rebuild", "index-drop", "recall-tuning", "reembedding"] as const;
  const calls = client(async () => kinds.map((kind) => plainOperation({ kind })));
  const { operations } = await calls.listOperations({});
  expect(operations.map(({ kind }) => kind)).toEqual([
    OperationKind.INDEX_BUILD,
    OperationKind.INDEX_REBUILD,
    OperationKind.INDEX_DROP,
    OperationKind.RECALL_TUNING,
    OperationKind.REEMBEDDING,
  ]);
  expect(operations[0]?.subject).toEqual({ case: "collection", value: "songs" });
});

test("a collection that cannot be is named, and the store is not asked", async () => {
  const calls = client(() => {
    throw new Error("the store was asked");
  });
  const [problem, ...others] = await problemsOf(calls.listOperations({ collection: "A b" }));
  expect(problem).toMatch(/^collection must be .*; is "A b"$/);
  expect(others).toEqual([]);
});
