import { describe, expect, test } from "@jest/globals";
import type { MessageInitShape } from "@bufbuild/protobuf";
import {
  Priority,
  type EmbedStreamRequestSchema,
  type EmbedStreamResponse,
} from "@kindred/contracts/embedding/v1";
import { KindredError } from "@kindred/errors";
import { DIMENSIONS, setUp } from "./rpc-fixture.ts";

type RequestInit = MessageInitShape<typeof EmbedStreamRequestSchema>;

async function* messages(...requests: RequestInit[]): AsyncIterable<RequestInit> {
  yield* requests;
}

async function all(replies: AsyncIterable<EmbedStreamResponse>): Promise<EmbedStreamResponse[]> {
  const received = [];
  for await (const reply of replies) received.push(reply);
  return received;
}

test("answers all texts in their order, however they were spread", async () => {
  const { client, first } = setUp();
  const texts = Array.from({ length: 700 }, (_, i) => `text ${i}`);
  const replies = await all(
    client.embedStream(messages({ texts: texts.slice(0, 600) }, {}, { texts: texts.slice(600) })),
  );
  let next = 0;
  for (const { firstText, textCount, vectors, tokenCounts, truncated } of replies) {
    expect(firstText).toBe(BigInt(next));
    expect(vectors).toHaveLength(textCount * DIMENSIONS * 4);
    expect(tokenCounts).toEqual(texts.slice(next, next + textCount).map((text) => text.length + 2));
    expect(truncated).toHaveLength(textCount);
    next += textCount;
  }
  expect(next).toBe(700);
  expect(replies.map(({ space }) => space?.id)).toEqual([
    first.space.id,
    ...Array(replies.length - 1).fill(undefined),
  ]);
  // Nobody waits for one text of many.
  expect(new Set(first.embedder.calls.map(({ options }) => options.priority))).toEqual(new Set(["bulk"]));
});

test("takes its options from the first message", async () => {
  const { client, second } = setUp();
  const options = { model: "second", priority: Priority.INTERACTIVE, expectedSpaceId: second.space.id };
  await expect(all(client.embedStream(messages({ options }, { texts: ["a"] })))).resolves.toHaveLength(1);
  expect(second.embedder.calls).toMatchObject([{ texts: ["a"], options: { priority: "interactive" } }]);
});

test("an empty stream has an empty answer", async () => {
  const { client } = setUp();
  await expect(all(client.embedStream(messages()))).resolves.toEqual([]);
  await expect(all(client.embedStream(messages({}, {})))).resolves.toEqual([]);
});

test("waits where the queue is full", async () => {
  const { client, first } = setUp();
  let refusals = 2;
  first.embedder.before = async () => {
    if (refusals-- > 0)
      throw new KindredError("resource-exhausted", "the queue is full", { retryAfterMs: 1 });
  };
  await expect(all(client.embedStream(messages({ texts: ["a"] })))).resolves.toHaveLength(1);
  expect(first.embedder.calls).toHaveLength(3);
});

describe("refuses", () => {
  const failureOf = async (...requests: RequestInit[]) => {
    const { client, first } = setUp();
    const error = await all(client.embedStream(messages(...requests))).catch((reason: unknown) => reason);
    return { error, calls: first.embedder.calls.length };
  };

  test("options in a later message", async () => {
    await expect(failureOf({ texts: ["a"] }, { options: { model: "second" } })).resolves.toMatchObject({
      error: {
        kind: "invalid-argument",
        violations: [{ field: "options", description: expect.stringContaining("message 1") }],
      },
    });
  });

  test("a message with too many texts, and texts that are too long, saying in which message", async () => {
    await expect(failureOf({ texts: Array<string>(10_001).fill("a") })).resolves.toMatchObject({
      error: {
        violations: [
          {
            field: "texts",
            description: "must have 0 to 10000 texts, has 10001: split the request (message 0 of the stream)",
          },
        ],
      },
      calls: 0,
    });
    await expect(failureOf({}, { texts: ["ok", "a".repeat(1024 * 1024 + 1)] })).resolves.toMatchObject({
      error: {
        violations: [
          { field: "texts[1]", description: expect.stringContaining("(message 1 of the stream)") },
        ],
      },
    });
  });

  test("an unknown model, another space and an unknown priority, before any work", async () => {
    await expect(failureOf({ options: { model: "third" }, texts: ["a"] })).resolves.toMatchObject({
      error: { kind: "not-found" },
      calls: 0,
    });
    await expect(failureOf({ options: { expectedSpaceId: "local:x" }, texts: ["a"] })).resolves.toMatchObject(
      {
        error: { kind: "failed-precondition", message: expect.stringContaining("options.expected_space_id") },
        calls: 0,
      },
    );
    await expect(failureOf({ options: { priority: 9 as Priority }, texts: ["a"] })).resolves.toMatchObject({
      error: { kind: "invalid-argument", violations: [{ field: "options.priority" }] },
      calls: 0,
    });
  });
});
