import { createClient, type ConnectRouter, type Transport } from "@connectrpc/connect";
import { durationMs } from "@bufbuild/protobuf/wkt";
import { describe, expect, test } from "@jest/globals";
import { OperationKind, OperationState } from "@kindred/contracts/common/v1";
import { OperationService as GenerationOperationService } from "@kindred/contracts/generation-tracking/v1";
import { OperationService } from "@kindred/contracts/vector-store/v1";
import { KindredError } from "@kindred/errors";
import { createInMemoryTransport } from "@kindred/rpc";
import { problemsOf, silentLogger, untouchable } from "@kindred/testing";
import type { Operation, OperationStore } from "../operation.ts";
import type { OperationContract, OperationSubject } from "./operation-message.ts";
import { operationRpcs, type OperationRpcsDeps } from "./operation-rpcs.ts";

type Kind = "index-build" | "retention";

const OPERATION: Operation<Kind> = {
  id: 12n,
  kind: "index-build",
  subject: "songs",
  state: "running",
  progress: {
    phase: "build: loading tuples",
    phaseNumber: 2,
    phaseCount: 5,
    done: 250,
    total: 1000,
    unit: "rows",
  },
  rate: 500,
  remainingMs: 1500,
  spec: { kind: "hnsw", m: 16 },
  checkpoint: { secret: true },
  result: undefined,
  failure: undefined,
  notes: ["built alone"],
  automatic: true,
  attempts: 2,
  createdAt: new Date(1000),
  startedAt: new Date(2000),
  updatedAt: new Date(3000),
  finishedAt: undefined,
};

const KINDS: OperationContract<Kind>["kinds"] = {
  "index-build": OperationKind.INDEX_BUILD,
  retention: OperationKind.RETENTION,
};

function depsOf<Subject extends OperationSubject>(
  subject: Subject,
  operations: Partial<OperationStore<Kind>>,
): OperationRpcsDeps<Kind, Subject> {
  return {
    operations: untouchable("the operations", operations),
    contract: { subject, kinds: KINDS },
    checkSubject: (field, name, checks) => {
      if (name.includes(" ")) checks.add(field, "must have no spaces");
    },
  };
}

const transport = (routes: (router: ConnectRouter) => void): Transport =>
  createInMemoryTransport(routes, { logger: silentLogger() });

function client(operations: Partial<OperationStore<Kind>>) {
  const rpcs = operationRpcs(depsOf("collection", operations));
  return createClient(
    OperationService,
    transport((router) => router.service(OperationService, rpcs)),
  );
}

const NOT_OF_THIS_LIST =
  "page_token is not a token of this list: give next_page_token as it was returned, with the same filters";

describe("bad input is refused before the store is asked", () => {
  const calls = client({});
  test.each<[string, (id: bigint) => Promise<unknown>]>([
    ["GetOperation", (id) => calls.getOperation({ id })],
    ["CancelOperation", (id) => calls.cancelOperation({ id })],
    ["WatchOperation", (id) => Array.fromAsync(calls.watchOperation({ id }))],
  ])("by %s", async (_, call) => {
    expect(await problemsOf(call(0n))).toEqual(["id must be that of an operation, 1 or more; is 0"]);
    expect(await problemsOf(call(-5n))).toEqual(["id must be that of an operation, 1 or more; is -5"]);
  });

  test("by ListOperations, all of it at once", async () => {
    expect(await problemsOf(calls.listOperations({ collection: "a b", pageSize: -1 }))).toEqual([
      "page_size must be 1 to 1000, or 0 for 50; is -1",
      "collection must have no spaces",
    ]);
    expect(await problemsOf(calls.listOperations({ pageToken: "page two" }))).toEqual([NOT_OF_THIS_LIST]);
  });
});

test("an operation has all that there is to know, but for its checkpoint", async () => {
  const { operation } = await client({ get: async () => OPERATION }).getOperation({ id: 12n });
  expect(operation).toMatchObject({
    id: 12n,
    kind: OperationKind.INDEX_BUILD,
    subject: { case: "collection", value: "songs" },
    state: OperationState.RUNNING,
    phase: "build: loading tuples",
    phaseNumber: 2,
    phaseCount: 5,
    done: 250n,
    total: 1000n,
    unit: "rows",
    rate: 500,
    spec: { kind: "hnsw", m: 16 },
    notes: ["built alone"],
    automatic: true,
    attempts: 2,
    createdAt: { seconds: 1n },
    startedAt: { seconds: 2n },
    updatedAt: { seconds: 3n },
  });
  expect(durationMs(operation?.remaining as never)).toBe(1500);
  expect(operation).not.toHaveProperty("result");
  expect(operation).not.toHaveProperty("failure");
  expect(operation).not.toHaveProperty("finishedAt");
  expect(JSON.stringify(operation?.spec)).not.toContain("secret");
});

test("a failure has the code of gRPC, and an estimate of for ever fits into a message", async () => {
  const failed: Operation<Kind> = {
    ...OPERATION,
    state: "failed",
    rate: undefined,
    remainingMs: 1e300,
    failure: { kind: "failed-precondition", message: "too few rows" },
    finishedAt: new Date(4000),
  };
  const { operation } = await client({ get: async () => failed }).getOperation({ id: 12n });
  expect(operation?.failure).toMatchObject({ code: 9, message: "too few rows" });
  expect(operation?.rate).toBe(0);
  expect(operation?.finishedAt).toMatchObject({ seconds: 4n });
});

test("the filter of a list and the subject of an operation are called what the service's operations are about", async () => {
  const asked: unknown[] = [];
  const rpcs = operationRpcs(
    depsOf("policy", {
      list: async (query) => {
        asked.push(query.subject);
        return [{ ...OPERATION, kind: "retention", subject: "old" }];
      },
    }),
  );
  const calls = createClient(
    GenerationOperationService,
    transport((router) => router.service(GenerationOperationService, rpcs)),
  );
  const { operations } = await calls.listOperations({ policy: "old" });
  expect(operations).toMatchObject([
    { kind: OperationKind.RETENTION, subject: { case: "policy", value: "old" } },
  ]);
  await calls.listOperations({});
  expect(asked).toEqual(["old", undefined]);
});

test("pages are bound to what was asked for", async () => {
  const asked: unknown[] = [];
  const calls = client({
    list: async (query) => {
      asked.push(query);
      return [5n, 4n, 3n].map((id) => ({ ...OPERATION, id }));
    },
  });
  const wanted = { collection: "songs", active: true, pageSize: 2 };
  const page = await calls.listOperations(wanted);
  expect(page.operations.map(({ id }) => id)).toEqual([5n, 4n]);
  const { nextPageToken: pageToken } = page;
  await calls.listOperations({ ...wanted, pageToken });
  expect(asked).toEqual([
    { subject: "songs", active: true, beforeId: undefined, limit: 3 },
    { subject: "songs", active: true, beforeId: 4n, limit: 3 },
  ]);
  for (const other of [{ active: false }, { collection: "" }]) {
    expect(await problemsOf(calls.listOperations({ ...wanted, ...other, pageToken }))).toEqual([
      NOT_OF_THIS_LIST,
    ]);
  }
  expect(asked).toHaveLength(2);
});

test("a watch that is broken off ends with an error, and not as if the operation had", async () => {
  const states: unknown[] = [];
  const calls = client({
    async *watch() {
      yield OPERATION;
      throw new KindredError("unavailable", "the service is shutting down: watch again");
    },
  });
  await expect(
    (async () => {
      for await (const { operation } of calls.watchOperation({ id: 12n })) states.push(operation?.state);
    })(),
  ).rejects.toMatchObject({ kind: "unavailable" });
  expect(states).toEqual([OperationState.RUNNING]);
});
