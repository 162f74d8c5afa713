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
  /** Full names of the services it answers for, e.g. "kindred.embedding.v1.EmbeddingService". */
  services: readonly string[];
}

/** Who answers which calls. */
export function upstreams(config: OriginConfig): Upstream[] {
  const upstream = (name: string, url: string, contract: object): Upstream => ({
    name,
    url: url.replace(/\/+$/, ""),
    services: Object.values(contract)
      .filter(isService)
      .map(({ typeName }) => typeName),
  });
  return [
    upstream("embedding", config.EMBEDDING_URL, embedding),
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
