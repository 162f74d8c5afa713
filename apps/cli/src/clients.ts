import { createClient, type Client, type Transport } from "@connectrpc/connect";
import { createConnectTransport } from "@connectrpc/connect-node";
import { EmbeddingService } from "@kindred/contracts/embedding/v1";
import {
  GenerationService,
  LineageService,
  ModelCacheService,
  SessionService,
} from "@kindred/contracts/generation-tracking/v1";
import { MetricsService } from "@kindred/contracts/metrics/v1";
import {
  CollectionService,
  ImageService,
  IndexService,
  OperationService,
  RecallService,
  SearchService,
  VectorService,
} from "@kindred/contracts/vector-store/v1";
import { KindredError } from "@kindred/errors";
import { fromConnectError } from "@kindred/rpc";
import { isNetworkCode, systemCodeOf } from "./system-error.ts";

/** The services, as their origin offers them. */
export interface Clients {
  embedding: Client<typeof EmbeddingService>;
  images: Client<typeof ImageService>;
  search: Client<typeof SearchService>;
  indexes: Client<typeof IndexService>;
  collections: Client<typeof CollectionService>;
  vectors: Client<typeof VectorService>;
  operations: Client<typeof OperationService>;
  recall: Client<typeof RecallService>;
  generations: Client<typeof GenerationService>;
  lineage: Client<typeof LineageService>;
  sessions: Client<typeof SessionService>;
  modelCache: Client<typeof ModelCacheService>;
  metrics: Client<typeof MetricsService>;
}

/** Connect over HTTP/1.1, in binary: what was measured to be the fastest for few and large messages. */
export function openTransport(options: { url: string; timeoutMs: number }): Transport {
  return createConnectTransport({
    baseUrl: options.url,
    httpVersion: "1.1",
    useBinaryFormat: true,
    // Compressing between two programs of one machine costs more than it saves.
    acceptCompression: [],
    defaultTimeoutMs: options.timeoutMs,
  });
}

export function openClients(options: { url: string; timeoutMs: number }): Clients {
  const transport = openTransport(options);
  return {
    embedding: createClient(EmbeddingService, transport),
    images: createClient(ImageService, transport),
    search: createClient(SearchService, transport),
    indexes: createClient(IndexService, transport),
    collections: createClient(CollectionService, transport),
    vectors: createClient(VectorService, transport),
    operations: createClient(OperationService, transport),
    recall: createClient(RecallService, transport),
    generations: createClient(GenerationService, transport),
    lineage: createClient(LineageService, transport),
    sessions: createClient(SessionService, transport),
    modelCache: createClient(ModelCacheService, transport),
    metrics: createClient(MetricsService, transport),
  };
}

/**
 * What the call gives.
 * @throws KindredError: unavailable, too, where the connection broke.
 */
export async function translated<T>(call: () => Promise<T>): Promise<T> {
  try {
    return await call();
  } catch (error) {
    const code = systemCodeOf(error);
    // A connection that breaks while one writes is "internal" to Connect; here it is one more way of being away.
    if (code !== undefined && isNetworkCode(code)) {
      throw new KindredError("unavailable", `the connection broke (${code})`, { cause: error });
    }
    throw fromConnectError(error);
  }
}

/**
 * Gives up a stream that is not read to its end. It keeps its connection until it is aborted, and the timer of its deadline until somebody reads
 * that it was: with either of them this process.
 */
export function letGo(call: AbortController, stream: AsyncIterator<unknown>): void {
  call.abort();
  stream.next().catch(() => {});
}
