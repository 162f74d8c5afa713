import { describe, expect, test } from "@jest/globals";
import type { ServiceImpl } from "@connectrpc/connect";
import { EmbeddingService, Priority } from "@kindred/contracts/embedding/v1";
import { KindredError } from "@kindred/errors";
import { createInMemoryTransport } from "@kindred/rpc";
import { errorOf, silentLogger } from "@kindred/testing";
import { embeddingClient } from "./embedding-client.ts";

const SPACE = {
  id: "p:m@1:384:mean:l2:256",
  provider: "p",
  model: "m",
  revision: "1",
  dimensions: 384,
  pooling: "mean",
  normalization: "l2",
  maxTokens: 256,
};

function clientOf(embed: ServiceImpl<typeof EmbeddingService>["embed"]) {
  const transport = createInMemoryTransport(
    (router) => router.service(EmbeddingService, { embed, info: () => ({ space: SPACE }) }),
    { logger: silentLogger() },
  );
  return embeddingClient(transport);
}

const vectorsFor = (texts: readonly string[]): Uint8Array =>
  Uint8Array.from({ length: texts.length * 1536 }, (_, i) => i % 251);
const interactive = { priority: "interactive" as const, expectedSpaceId: undefined };

describe("embed", () => {
  test("passes on texts, priority and space, and gives back packed vectors", async () => {
    const seen: unknown[] = [];
    const client = clientOf((request) => {
      seen.push([request.texts, request.priority, request.expectedSpaceId]);
      return { vectors: vectorsFor(request.texts), space: SPACE };
    });
    const reply = await client.embed(["a", "b"], interactive);
    await client.embed(["c"], { priority: "bulk", expectedSpaceId: SPACE.id });
    expect(reply).toEqual({ vectors: vectorsFor(["a", "b"]), space: SPACE });
    expect(seen).toEqual([
      [["a", "b"], Priority.INTERACTIVE, ""],
      [["c"], Priority.BULK, SPACE.id],
    ]);
    expect(await client.servedSpace({})).toEqual(SPACE);
  });

  test("bulk work waits while the service is busy; interactive work is told", async () => {
    let calls = 0;
    const client = clientOf((request) => {
      calls += 1;
      if (calls % 3 !== 0)
        throw new KindredError("resource-exhausted", "the queue is full", { retryAfterMs: 1 });
      return { vectors: vectorsFor(request.texts), space: SPACE };
    });
    expect((await errorOf(client.embed(["a"], interactive))).kind).toBe("resource-exhausted");
    expect(calls).toBe(1);
    expect((await client.embed(["a"], { ...interactive, priority: "bulk" })).vectors).toHaveLength(1536);
    expect(calls).toBe(3);
  });

  test("bulk work does not wait longer than its caller", async () => {
    const client = clientOf(() => {
      throw new KindredError("resource-exhausted", "the queue is full", { retryAfterMs: 60_000 });
    });
    const error = await errorOf(client.embed(["a"], { ...interactive, priority: "bulk", timeoutMs: 1000 }));
    expect(error.kind).toBe("resource-exhausted");
  });

  test("says that other searches go on while the service is away", async () => {
    const client = clientOf(() => {
      throw new KindredError("unavailable", "nobody there");
    });
    const error = await errorOf(client.embed(["a"], interactive));
    expect(error).toMatchObject({ kind: "unavailable", retryAfterMs: 1000 });
    expect(error.message).toContain("searches by vector and by key go on");
  });

  test("another space than the catalogue's is named with the catalogue's", async () => {
    const client = clientOf(() => {
      throw new KindredError("failed-precondition", "expected another", {
        metadata: { expected_space_id: "mine", served_space_id: "theirs" },
      });
    });
    const error = await errorOf(client.embed(["a"], { ...interactive, expectedSpaceId: "mine" }));
    expect(error.kind).toBe("failed-precondition");
    expect(error.message).toMatch(/catalogue's embedding space is "mine".*"theirs"/);
  });

  test("too few vectors are not taken", async () => {
    const short = clientOf(() => ({ vectors: vectorsFor(["a"]), space: SPACE }));
    expect((await errorOf(short.embed(["a", "b"], interactive))).kind).toBe("internal");
  });
});
