import { Code, ConnectError, createClient, createRouterTransport } from "@connectrpc/connect";
import { expect, test } from "@jest/globals";
import { GenerationService, type RecordGenerationRequest } from "@kindred/contracts/generation-tracking/v1";
import { invalidField } from "@kindred/errors";
import { toConnectError } from "@kindred/rpc";
import { parseGenerationLine, type GenerationRecord } from "./generation-record.ts";
import { generationSender } from "./send-generations.ts";

const signal = new AbortController().signal;

function batchOf(...prompts: string[]) {
  const items = prompts.map((prompt): GenerationRecord => parseGenerationLine(JSON.stringify({ prompt })));
  return { items, lines: items.map((_, i) => i + 1), bad: [], end: { lines: items.length, bytes: 0 } };
}

/** A service whose first answers to some prompts are errors. */
function sender(failing: Readonly<Record<string, unknown[]>>) {
  const asked: string[] = [];
  const stored = new Set<string>();
  const transport = createRouterTransport((router) => {
    router.service(GenerationService, {
      recordGeneration: ({ generation, idempotencyKey }: RecordGenerationRequest) => {
        const prompt = generation?.prompt ?? "";
        asked.push(prompt);
        const error = failing[prompt]?.shift();
        if (error) throw error;
        const existing = stored.has(idempotencyKey);
        stored.add(idempotencyKey);
        return { generation: { prompt }, existing };
      },
    });
  });
  return {
    send: generationSender({ generations: createClient(GenerationService, transport) }),
    asked,
    stored,
  };
}

test("a batch that is sent again sends what was not answered, and counts each once", async () => {
  const { send, asked } = sender({ c: [new ConnectError("away", Code.Unavailable)] });
  const batch = batchOf("a", "b", "c", "a");
  const options = { skipsBadRows: false, signal };
  await expect(send(batch, options)).rejects.toMatchObject({ kind: "unavailable" });
  expect(await send(batch, options)).toEqual({ inserted: 3, replaced: 0, skipped: 1, rejected: [] });
  expect(asked.filter((prompt) => prompt === "b")).toHaveLength(1);
});

test("what the service refuses is named by its position, or left out", async () => {
  const refusal = () => toConnectError(invalidField("generation.seed", "must be odd"));
  const strict = sender({ b: [refusal()] });
  await expect(strict.send(batchOf("a", "b"), { skipsBadRows: false, signal })).rejects.toMatchObject({
    kind: "invalid-argument",
    violations: [{ field: "generations[1].seed", description: "must be odd" }],
  });
  const lenient = sender({ b: [refusal()] });
  expect(await lenient.send(batchOf("a", "b", "c"), { skipsBadRows: true, signal })).toEqual({
    inserted: 2,
    replaced: 0,
    skipped: 0,
    rejected: [{ position: 1, reason: "seed must be odd" }],
  });
});

test("a key that was used for something else is the row's fault", async () => {
  const { send } = sender({
    a: [new ConnectError("the key was used for another prompt", Code.AlreadyExists)],
  });
  expect(await send(batchOf("a"), { skipsBadRows: true, signal })).toMatchObject({
    rejected: [{ position: 0, reason: "idempotency_key the key was used for another prompt" }],
  });
});
