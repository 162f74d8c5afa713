import { createSpace, type EmbeddingSpace } from "../embedding-space.ts";

/** A model of a provider that speaks the OpenAI protocol, and what is known of its limits. */
export interface RemoteModelSpec {
  /** The name under which this service serves it, e.g. "fireworks/qwen3-embedding-8b". */
  readonly name: string;
  /** Provider in the space's id, e.g. "fireworks". */
  readonly provider: string;
  /** Up to and without "/embeddings". */
  readonly baseUrl: string;
  /** The name that the provider knows it by. */
  readonly model: string;
  readonly dimensions: number;
  /** The model can be cut to fewer dimensions, so `dimensions` is asked for; otherwise it is only expected. */
  readonly matryoshka: boolean;
  /** Environment variable that holds the key; undefined for a server that asks for none. */
  readonly apiKeyVariable: string | undefined;
  /** Most texts of a request. */
  readonly maxTexts: number;
  readonly maxTokensPerRequest: number;
  /** Most tokens of a text. */
  readonly maxTokens: number;
  /** The account's limits; undefined where they are not known: then the provider's 429s tell. */
  readonly requestsPerMinute: number | undefined;
  readonly tokensPerMinute: number | undefined;
  /** US dollars; undefined where nobody has said it. Prices change: no preset has one. */
  readonly pricePerMillionTokens: number | undefined;
  /** Most requests at once. */
  readonly maxConcurrency: number;
  /** How vectors travel: base64 takes a third of the bytes. */
  readonly encoding: "float" | "base64";
  /** Scale vectors to length 1, whatever the provider does. */
  readonly normalize: boolean;
  /** Longest wait for the answer to one request. */
  readonly timeoutMs: number;
  /** Part of the space's id: raise it when the provider changes the model behind the same name. */
  readonly revision: string;
}

type Required = "name" | "provider" | "baseUrl" | "model" | "dimensions";
export type PartialRemoteSpec = Pick<RemoteModelSpec, Required> & {
  readonly [K in Exclude<keyof RemoteModelSpec, Required>]?: RemoteModelSpec[K] | undefined;
};

/**
 * Fills in what is not said: the limits of OpenAI's protocol (2,048 texts and 300,000 tokens a request, 8,192 tokens a text:
 * https://developers.openai.com/api/reference/resources/embeddings/methods/create), no rate limits, no key.
 */
export function completeRemoteSpec(spec: PartialRemoteSpec): RemoteModelSpec {
  return {
    name: spec.name,
    provider: spec.provider,
    baseUrl: spec.baseUrl.replace(/\/+$/, ""),
    model: spec.model,
    dimensions: spec.dimensions,
    matryoshka: spec.matryoshka ?? false,
    apiKeyVariable: spec.apiKeyVariable,
    maxTexts: spec.maxTexts ?? 2048,
    maxTokensPerRequest: spec.maxTokensPerRequest ?? 300_000,
    maxTokens: spec.maxTokens ?? 8192,
    requestsPerMinute: spec.requestsPerMinute,
    tokensPerMinute: spec.tokensPerMinute,
    pricePerMillionTokens: spec.pricePerMillionTokens,
    maxConcurrency: spec.maxConcurrency ?? 8,
    encoding: spec.encoding ?? "base64",
    normalize: spec.normalize ?? true,
    timeoutMs: spec.timeoutMs ?? 60_000,
    revision: spec.revision ?? "unversioned",
  };
}

/** The space of a provider's model. How it pools nobody says. */
export function remoteSpace(spec: RemoteModelSpec): EmbeddingSpace {
  return createSpace({
    provider: spec.provider,
    model: spec.model,
    revision: spec.revision,
    dimensions: spec.dimensions,
    pooling: "unknown",
    normalization: spec.normalize ? "l2" : "none",
    maxTokens: spec.maxTokens,
  });
}

const openai = {
  provider: "openai",
  baseUrl: "https://api.openai.com/v1",
  apiKeyVariable: "OPENAI_API_KEY",
  matryoshka: true,
  // What the lowest paid tier allows for each of the text-embedding-3 models; other tiers allow more.
  requestsPerMinute: 3000,
  tokensPerMinute: 1_000_000,
} as const;

/** Models that need no more than a key, by the name under which they are served. */
export const REMOTE_PRESETS: ReadonlyMap<string, RemoteModelSpec> = new Map(
  [
    completeRemoteSpec({
      name: "fireworks/qwen3-embedding-8b",
      provider: "fireworks",
      baseUrl: "https://api.fireworks.ai/inference/v1",
      model: "accounts/fireworks/models/qwen3-embedding-8b",
      // Of 4,096: pgvector indexes a `vector` column to 2,000.
      dimensions: 2000,
      matryoshka: true,
      apiKeyVariable: "FIREWORKS_API_KEY",
      maxTokens: 32_768,
      // Fireworks limits by the account's history, and publishes no number that holds: its 429s tell.
    }),
    completeRemoteSpec({
      ...openai,
      name: "openai/text-embedding-3-small",
      model: "text-embedding-3-small",
      dimensions: 1536,
    }),
    completeRemoteSpec({
      ...openai,
      name: "openai/text-embedding-3-large",
      model: "text-embedding-3-large",
      dimensions: 3072,
    }),
  ].map((spec) => [spec.name, spec]),
);
