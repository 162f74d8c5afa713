import type { DescService } from "@bufbuild/protobuf";
import * as embedding from "@kindred/contracts/embedding/v1";
import * as generationTracking from "@kindred/contracts/generation-tracking/v1";
import * as metrics from "@kindred/contracts/metrics/v1";
import * as vectorStore from "@kindred/contracts/vector-store/v1";
import type { OriginConfig } from "./config.ts";

export interface Upstream {
  name: string;
  /** Without a trailing slash. */
  url: string;
  /** Beginnings of the paths that it answers: "/kindred.embedding.v1.EmbeddingService" and the like. */
  prefixes: readonly string[];
}

/** The embedding service speaks OpenAI's embeddings API as well. */
const OPENAI_API = "/v1";

/** Who answers which calls. */
export function upstreams(config: OriginConfig): Upstream[] {
  const upstream = (
    name: string,
    url: string,
    contract: object,
    others: readonly string[] = [],
  ): Upstream => ({
    name,
    url: url.replace(/\/+$/, ""),
    prefixes: [
      ...Object.values(contract)
        .filter(isService)
        .map(({ typeName }) => `/${typeName}`),
      ...others,
    ],
  });
  return [
    upstream("embedding", config.EMBEDDING_URL, embedding, [OPENAI_API]),
    upstream("vector-store", config.VECTOR_STORE_URL, vectorStore),
    upstream("generation-tracking", config.GENERATION_TRACKING_URL, generationTracking),
    upstream("metrics", config.METRICS_URL, metrics),
  ];
}

function isService(exported: unknown): exported is DescService {
  return (
    typeof exported === "object" && exported !== null && "kind" in exported && exported.kind === "service"
  );
}
