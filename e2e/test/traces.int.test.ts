import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { json } from "node:stream/consumers";
import { createClient } from "@connectrpc/connect";
import { afterAll, beforeAll, expect, test } from "@jest/globals";
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
    services: ["embedding", "vector-store"],
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

test("a search by text is one trace, through the vector store into the embedding service's queue and model", async () => {
  await using channel = openChannel({ address: stack.addresses["vector-store"] as string });
  await createClient(SearchService, channel.transport).search({
    query: { case: "text", value: "an animal that nobody has asked for yet" },
    k: 1,
  });
  const search = () => spans.find(({ name }) => name.endsWith("SearchService/Search"));
  for (let waited = 0; waited < 30_000; waited += 100) {
    const found = search();
    if (
      found !== undefined &&
      spans.some(({ name, traceId }) => name === "inference" && traceId === found.traceId)
    )
      break;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }

  const { traceId } = search() as Span;
  const trace = spans.filter((span) => span.traceId === traceId);
  const pathTo = (span: Span | undefined): string[] => {
    if (span === undefined) return [];
    const parent = trace.find(({ spanId }) => spanId === span.parentSpanId);
    return [...pathTo(parent), `${span.service} ${span.name}`];
  };
  const embedding = [
    "kindred-vector-store kindred.vector_store.v1.SearchService/Search",
    "kindred-vector-store kindred.embedding.v1.EmbeddingService/Embed",
    "kindred-embedding kindred.embedding.v1.EmbeddingService/Embed",
    "kindred-embedding embed",
  ];
  for (const phase of ["tokenize", "queue", "inference"]) {
    expect(pathTo(trace.find(({ name }) => name === phase))).toEqual([
      ...embedding,
      `kindred-embedding ${phase}`,
    ]);
  }
}, 60_000);
