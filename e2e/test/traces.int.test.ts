import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { json } from "node:stream/consumers";
import { createClient } from "@connectrpc/connect";
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { GenerationService, LineageService } from "@kindred/contracts/generation-tracking/v1";
import { SearchService } from "@kindred/contracts/vector-store/v1";
import { openChannel } from "@kindred/rpc";
import { startStack, type Stack } from "@kindred/testing";

/** A span as OTLP's JSON has it. */
interface Span {
  traceId: string;
  spanId: string;
  parentSpanId?: string;
  name: string;
  service: string;
}

/** The parts of OTLP's ExportTraceServiceRequest that are looked at. */
interface Export {
  resourceSpans: {
    resource: { attributes: { key: string; value: { stringValue?: string } }[] };
    scopeSpans: { spans: Omit<Span, "service">[] }[];
  }[];
}

const spans: Span[] = [];
let collector: Server;
let stack: Stack;

beforeAll(async () => {
  collector = createServer((request, response) => {
    void (async () => {
      const { resourceSpans } = (await json(request)) as Export;
      for (const { resource, scopeSpans } of resourceSpans) {
        const service =
          resource.attributes.find(({ key }) => key === "service.name")?.value.stringValue ?? "";
        spans.push(...scopeSpans.flatMap((scope) => scope.spans.map((span) => ({ ...span, service }))));
      }
      response.writeHead(200, { "content-type": "application/json" }).end("{}");
    })();
  });
  await new Promise<void>((resolve) => collector.listen(0, "127.0.0.1", resolve));
  stack = await startStack({
    services: ["embedding", "vector-store", "generation-tracking"],
    env: {
      OTEL_EXPORTER_OTLP_ENDPOINT: `http://127.0.0.1:${(collector.address() as AddressInfo).port}`,
      METRICS_SAMPLE_INTERVAL: "1h",
    },
  });
}, 300_000);

afterAll(async () => {
  await stack?.[Symbol.asyncDispose]();
  collector.close();
});

const EMBEDDING = [
  "kindred-vector-store kindred.embedding.v1.EmbeddingService/Embed",
  "kindred-embedding kindred.embedding.v1.EmbeddingService/Embed",
  "kindred-embedding embed",
];
const PHASES = ["tokenize", "queue", "inference"];

/** The spans of the trace that a call began, once the model's are among them. */
async function traceOf(call: string): Promise<Span[]> {
  for (let waited = 0; ; waited += 100) {
    // Callers without spans of their own begin the trace with the call's.
    const began = spans.find(({ name, service }) => `${service} ${name}` === call);
    const trace = spans.filter(({ traceId }) => traceId === began?.traceId);
    if (trace.some(({ name }) => name === "inference")) return trace;
    if (waited > 30_000)
      throw new Error(`no inference in the trace of ${call}; there are ${spans.length} spans`);
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}

/** From the beginning of its trace to the span of this name. */
function pathTo(name: string, trace: readonly Span[]): string[] {
  const path: string[] = [];
  let span = trace.find((each) => each.name === name);
  while (span !== undefined) {
    path.unshift(`${span.service} ${span.name}`);
    const parent = span.parentSpanId;
    span = trace.find(({ spanId }) => spanId === parent);
  }
  return path;
}

test("a search by text is one trace, through the vector store into the embedding service's queue and model", async () => {
  await using channel = openChannel({ address: stack.addresses["vector-store"] as string });
  await createClient(SearchService, channel.transport).search({
    query: { case: "text", value: "an animal that nobody has asked for yet" },
    k: 1,
  });
  const search = "kindred-vector-store kindred.vector_store.v1.SearchService/Search";
  const trace = await traceOf(search);
  for (const phase of PHASES)
    expect(pathTo(phase, trace)).toEqual([search, ...EMBEDDING, `kindred-embedding ${phase}`]);
}, 60_000);

test("the replay of a retrieval is one trace, from generation-tracking on", async () => {
  await using channel = openChannel({ address: stack.addresses["generation-tracking"] as string });
  const { generation } = await createClient(GenerationService, channel.transport).recordGeneration({
    // Not the prompt's: the outbox may have had that embedded by now, and nothing would have to be inferred.
    generation: { prompt: "a plant", retrieval: { query: "a plant that nobody has asked for yet", k: 3 } },
  });
  await createClient(LineageService, channel.transport).replayRetrieval({ id: generation?.id ?? 0n });
  const replay = "kindred-generation-tracking kindred.generation_tracking.v1.LineageService/ReplayRetrieval";
  const trace = await traceOf(replay);
  expect(pathTo("inference", trace)).toEqual([
    replay,
    "kindred-generation-tracking kindred.vector_store.v1.SearchService/Search",
    "kindred-vector-store kindred.vector_store.v1.SearchService/Search",
    ...EMBEDDING,
    "kindred-embedding inference",
  ]);
}, 60_000);
