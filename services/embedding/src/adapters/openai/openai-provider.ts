import { KindredError } from "@kindred/errors";
import { OpenAI } from "openai";
import {
  ProviderFailure,
  type EmbeddingProvider,
  type ProviderAnswer,
  type ProviderVector,
} from "../../domain/remote/provider.ts";
import { decodeFloats } from "./decode-floats.ts";
import { reportedLimits } from "./rate-headers.ts";
import { translateFailure } from "./translate-failure.ts";

export interface OpenAiProviderOptions {
  /** Up to and without "/embeddings", e.g. "https://api.openai.com/v1". */
  readonly baseUrl: string;
  /** Undefined for a server that asks for none. It stands in the Authorization header and nowhere else. */
  readonly apiKey: string | undefined;
  readonly model: string;
  /** Asked for; undefined takes the model's own. */
  readonly dimensions?: number | undefined;
  /** base64 takes a third of the bytes. Whatever is asked for, answers in both are read. */
  readonly encoding?: "float" | "base64" | undefined;
  /** Longest wait for an answer, its last byte included. */
  readonly timeoutMs: number;
}

const NO_KEY = "none";

/**
 * A provider that speaks OpenAI's embeddings protocol.
 * @throws KindredError failed-precondition when the key cannot stand in a header.
 */
export function createOpenAiProvider(options: OpenAiProviderOptions): EmbeddingProvider {
  const { baseUrl, apiKey, model, dimensions, encoding = "base64", timeoutMs } = options;
  // The SDK would name the key in its error.
  if (apiKey !== undefined && !/^[\x21-\x7e]+$/.test(apiKey)) {
    throw new KindredError(
      "failed-precondition",
      `the API key for ${baseUrl} must be printable ASCII without spaces and line breaks`,
    );
  }
  const client = new OpenAI({
    baseURL: baseUrl,
    apiKey: apiKey ?? NO_KEY,
    // All that is not said the SDK would read from the environment, and send it to whatever provider this is.
    organization: null,
    project: null,
    adminAPIKey: null,
    webhookSecret: null,
    logLevel: "off",
    maxRetries: 0,
    timeout: timeoutMs,
    ...(apiKey === undefined ? { defaultHeaders: { Authorization: null } } : undefined),
  });

  return {
    embed: async (texts, { signal }) => {
      signal.throwIfAborted();
      // The SDK's own timeout does not cover the text of an error.
      const timeout = AbortSignal.timeout(timeoutMs);
      try {
        const { data, response } = await client.embeddings
          .create(
            {
              model,
              input: [...texts],
              encoding_format: encoding,
              ...(dimensions === undefined ? undefined : { dimensions }),
            },
            { signal: AbortSignal.any([signal, timeout]) },
          )
          .withResponse();
        return readAnswer(data, response.headers);
      } catch (error) {
        signal.throwIfAborted();
        if (error instanceof ProviderFailure) throw error;
        throw translateFailure(error, { apiKey, timeoutMs, timedOut: timeout.aborted });
      }
    },
  };
}

/** Takes nothing for granted: many servers speak this protocol more or less. */
function readAnswer(body: unknown, headers: Headers): ProviderAnswer {
  const limits = reportedLimits(headers);
  const { data, usage } = isRecord(body) ? body : {};
  const reported = isRecord(usage) ? (usage["total_tokens"] ?? usage["prompt_tokens"]) : undefined;
  // Some servers write 0 where they do not count.
  const totalTokens = typeof reported === "number" && reported > 0 ? reported : undefined;
  if (!Array.isArray(data)) {
    const type = headers.get("content-type") ?? "no content type";
    throw new ProviderFailure("bad-answer", `it has no list of vectors (${type}); is it an embeddings API?`, {
      limits,
    });
  }
  const vectors = data.map((item: unknown): ProviderVector => {
    const { index, embedding } = isRecord(item) ? item : {};
    return {
      index,
      read: () => {
        if (Array.isArray(embedding)) return embedding;
        return typeof embedding === "string" ? decodeFloats(embedding) : undefined;
      },
    };
  });
  return { vectors, totalTokens, limits };
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null;
}
