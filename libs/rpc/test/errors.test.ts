import { status } from "@grpc/grpc-js";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "@jest/globals";
import { KindredError, type ErrorKind } from "@kindred/errors";
import { envelope, everyWay, failure, post, sendRaw, WAYS, type Ways } from "./fixture.ts";

const KINDS: ErrorKind[] = [
  "invalid-argument",
  "not-found",
  "already-exists",
  "failed-precondition",
  "aborted",
  "resource-exhausted",
  "unavailable",
  "deadline-exceeded",
  "cancelled",
  "unimplemented",
  "data-loss",
  "internal",
];

function declared(kind: string): KindredError {
  return new KindredError(kind as ErrorKind, `what went wrong: 100 % ${kind}, “so to say”`, {
    violations: [{ field: "images[3].width", description: "must be positive, is -1" }],
    retryAfterMs: 1_250.5,
    metadata: { batches_stored: "3" },
  });
}

const SECRET = "password is hunter2";

function act(text: string): { count: number } {
  if (text === "defect") throw new Error(SECRET);
  if (text === "unserialisable") return { count: 2 ** 40 };
  if (text === "many") {
    const violations = Array.from({ length: 1000 }, (_, i) => ({
      field: `images[${i}].image.width`,
      description: "must be positive, is -1",
    }));
    throw new KindredError("invalid-argument", "ß".repeat(50_000), { violations });
  }
  if (text === "surrogate") throw new KindredError("not-found", `no image \uD83D, tab \t, newline \n`);
  throw declared(text);
}

async function* noRequests() {}

let ways: Ways;
beforeAll(async () => {
  ways = await everyWay(
    {
      // Not retried: a read that is UNAVAILABLE would be.
      write: ({ text }) => act(text),
      read: ({ text }) => act(text),
      async *spread({ text }) {
        yield { text: "first" };
        yield act(text);
      },
      async collect(requests) {
        for await (const { text } of requests) act(text);
        return {};
      },
    },
    { MAX_MESSAGE_BYTES: "64KiB" },
  );
});
afterAll(async () => ways[Symbol.asyncDispose]());
beforeEach(() => void (ways.lines.length = 0));

describe.each(WAYS)("over %s", (way) => {
  test.each(KINDS)("%s arrives with its message and its details", async (kind) => {
    const { message, violations, retryAfterMs, metadata } = declared(kind);
    expect(await failure(ways.client(way).write({ text: kind }))).toMatchObject({
      kind,
      message,
      violations,
      retryAfterMs,
      metadata,
    });
  });

  test("an error in the middle of a stream comes after the messages before it", async () => {
    const seen: string[] = [];
    const read = async (): Promise<void> => {
      for await (const { text } of ways.client(way).spread({ text: "aborted" })) seen.push(text);
    };
    expect(await failure(read())).toMatchObject({ kind: "aborted", metadata: { batches_stored: "3" } });
    expect(seen).toEqual(["first"]);
  });

  test("a defect keeps its message to itself, and is logged once with its stack", async () => {
    expect(await failure(ways.client(way).write({ text: "defect" }))).toMatchObject({
      kind: "internal",
      message: "internal error",
    });
    const logged = ways.lines.filter((line) => JSON.stringify(line.fields["err"] ?? "") !== '""');
    expect(logged).toHaveLength(1);
    expect(logged[0]).toMatchObject({
      level: "warn",
      fields: { method: "probe.v1.ProbeService/Write", code: "Internal", err: new Error(SECRET) },
    });
  });

  test("a thousand bad fields are still an answer: the first ones, and how many there are", async () => {
    const error = await failure(ways.client(way).write({ text: "many" }));
    expect(error.kind).toBe("invalid-argument");
    expect(error.violations.length).toBeGreaterThan(10);
    expect(error.violations[0]?.field).toBe("images[0].image.width");
    expect(error.metadata).toEqual({ violations_total: "1000" });
    expect(error.message).toMatch(/^ß+…$/);
  });

  test("a message that is no well-formed text is an answer as well", async () => {
    const error = await failure(ways.client(way).write({ text: "surrogate" }));
    expect(error).toMatchObject({ kind: "not-found", message: "no image \uFFFD, tab \t, newline \n" });
  });
});

test.each(["gRPC", "memory"])("a method without an implementation is unimplemented over %s", async (way) => {
  expect((await failure(Array.fromAsync(ways.client(way).chat(noRequests())))).kind).toBe("unimplemented");
});

describe.each(WAYS.filter((way) => way !== "memory"))("limits over %s", (way) => {
  test("a request that is too large is RESOURCE_EXHAUSTED", async () => {
    const error = await failure(ways.client(way).write({ data: new Uint8Array(70_000) }));
    expect(error.kind).toBe("resource-exhausted");
  });
});

// JSON would carry the number; it is its reader that cannot take it.
test.each(["gRPC", "Connect", "gRPC-Web"])(
  "a reply that cannot be written is a defect of the server over %s: logged once, told to nobody",
  async (way) => {
    expect(await failure(ways.client(way).write({ text: "unserialisable" }))).toMatchObject({
      kind: "internal",
      message: "internal error",
    });
    expect(ways.lines.filter(({ level }) => level === "warn")).toHaveLength(1);
  },
);

describe("a request that is no protobuf message is INVALID_ARGUMENT", () => {
  const malformed = Uint8Array.of(0x0a, 0xff, 0xff, 0x01);

  test.each(["Write", "Spread", "Collect"])("over gRPC: %s", async (method) => {
    const answer = await sendRaw(ways.server, method, Buffer.from(malformed));
    expect(answer).toMatchObject({ code: status.INVALID_ARGUMENT });
    expect(answer.details).toContain("no valid protobuf message");
  });

  test("over Connect, unary, binary and JSON", async () => {
    for (const [body, type] of [
      [malformed, "application/proto"],
      ["{", "application/json"],
      ['{"count":"many"}', "application/json"],
    ] as const) {
      const response = await post(ways.server, "Write", body, type);
      expect(response.status).toBe(400);
      expect(await response.json()).toMatchObject({ code: "invalid_argument" });
    }
  });

  test.each(["Spread", "Collect"])("over Connect, streaming: %s", async (method) => {
    const response = await post(ways.server, method, envelope(malformed), "application/connect+proto");
    expect(await response.text()).toContain('"code":"invalid_argument"');
  });

  test.each(["Write", "Spread", "Collect"])("over gRPC-Web: %s", async (method) => {
    const response = await post(ways.server, method, envelope(malformed), "application/grpc-web+proto");
    expect(await response.text()).toMatch(/grpc-status: 3\r\n/);
  });

  test("and is nobody's fault in the log", async () => {
    await post(ways.server, "Write", malformed, "application/proto");
    expect(ways.lines.filter(({ level }) => level === "warn")).toEqual([]);
  });
});

test("no byte of a defect's message or stack leaves the server", async () => {
  const grpc = await sendRaw(ways.server, "Write", Buffer.from([0x0a, 6, ...Buffer.from("defect")]));
  expect(JSON.stringify(grpc)).not.toContain("hunter2");
  const body = new Uint8Array(Buffer.from([0x0a, 6, ...Buffer.from("defect")]));
  for (const [payload, type] of [
    ['{"text":"defect"}', "application/json"],
    [body, "application/proto"],
    [envelope(body), "application/grpc-web+proto"],
  ] as const) {
    const response = await post(ways.server, "Write", payload, type);
    const all = JSON.stringify([...response.headers]) + (await response.text());
    expect(all).not.toMatch(/hunter2|\.ts/);
    expect(all).toMatch(/internal/);
  }
});
