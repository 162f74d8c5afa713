import type { Client } from "@connectrpc/connect";
import type { EmbeddingService } from "@kindred/contracts/embedding/v1";
import type { GenerationService } from "@kindred/contracts/generation-tracking/v1";
import type { MetricsService } from "@kindred/contracts/metrics/v1";
import type {
  CollectionService,
  ImageService,
  OperationService,
  RecallService,
  SearchService,
  VectorService,
} from "@kindred/contracts/vector-store/v1";
import type { ErrorKind } from "@kindred/errors";
import { packVectors } from "@kindred/rpc";

export interface Clients {
  embedding: Client<typeof EmbeddingService>;
  images: Client<typeof ImageService>;
  collections: Client<typeof CollectionService>;
  vectors: Client<typeof VectorService>;
  search: Client<typeof SearchService>;
  operations: Client<typeof OperationService>;
  recall: Client<typeof RecallService>;
  generations: Client<typeof GenerationService>;
  metrics: Client<typeof MetricsService>;
}

export interface BadCall {
  name: string;
  call: (clients: Clients) => Promise<unknown>;
  kind: ErrorKind;
  /** The field that the error has to name; undefined where no field is to blame. */
  field?: string;
}

export const byVector = (values: Float32Array) => ({
  case: "vector" as const,
  value: { data: packVectors(values) },
});

export const once = async function* <T>(...messages: T[]) {
  yield* messages;
};
