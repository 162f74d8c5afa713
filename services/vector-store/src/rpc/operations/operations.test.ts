import { createClient } from "@connectrpc/connect";
import { durationMs } from "@bufbuild/protobuf/wkt";
import { describe, expect, test } from "@jest/globals";
import { OperationKind, OperationService, OperationState } from "@kindred/contracts/vector-store/v1";
import { isKindredError, KindredError } from "@kindred/errors";
import { createInMemoryTransport } from "@kindred/rpc";
import { silentLogger } from "@kindred/testing";
import type { Operation, OperationStore } from "../../domain/operations/operation.ts";
import { operationRoutes } from "./routes.ts";

const OPERATION: Operation = {
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

function client(operations: Partial<OperationStore>) {
  const store = new Proxy(operations, {
    get: (known, method: keyof OperationStore) =>
      known[method] ??
      (() => {
        throw new Error(`the store was asked: ${method}`);
      }),
  }) as OperationStore;
  return createClient(
    OperationService,
    createInMemoryTransport(
      (router) => router.service(OperationService, operationRoutes({ operations: store })),
      {
        logger: silentLogger(),
      },
    ),
  );
}

async function problemsOf(call: Promise<unknown>): Promise<string[]> {
  const error = await call.then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  if (!isKindredError(error)) throw new Error("no KindredError", { cause: error });
  expect(error.kind).toBe("invalid-argument");
  return error.violations.map(({ field, description }) => `${field} ${description}`);
}

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

  test("by ListOperations", async () => {
    const problems = await problemsOf(calls.listOperations({ collection: "A b", pageSize: -1 }));
    expect(problems).toHaveLength(2);
    expect(problems[0]).toBe("page_size must be 1 to 1000, or 0 for 50; is -1");
    expect(problems[1]).toMatch(/^collection must be .*; is "A b"$/);
    expect(await problemsOf(calls.listOperations({ pageToken: "page two" }))).toEqual([
      "page_token is not a token of this list: give next_page_token as it was returned, with the same filters",
    ]);
  });
});

test("an operation has all that there is to know, but for its checkpoint", async () => {
  const { operation } = await client({ get: async () => OPERATION }).getOperation({ id: 12n });
  expect(operation).toMatchObject({
    id: 12n,
    kind: OperationKind.INDEX_BUILD,
    collection: "songs",
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
  const failed: Operation = {
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

test("pages are bound to what was asked for", async () => {
  const asked: unknown[] = [];
  const calls = client({
    list: async (query) => {
      asked.push(query);
      return [5n, 4n, 3n].map((id) => ({ ...OPERATION, id }));
    },
  });
  const page = await calls.listOperations({ collection: "songs", active: true, pageSize: 2 });
  expect(page.operations.map(({ id }) => id)).toEqual([5n, 4n]);
  await calls.listOperations({
    collection: "songs",
    active: true,
    pageSize: 2,
    pageToken: page.nextPageToken,
  });
  expect(asked).toEqual([
    { subject: "songs", active: true, beforeId: undefined, limit: 3 },
    { subject: "songs", active: true, beforeId: 4n, limit: 3 },
  ]);
  const other = calls.listOperations({ collection: "songs", pageToken: page.nextPageToken });
  expect((await problemsOf(other))[0]).toContain("page_token is not a token of this list");
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
