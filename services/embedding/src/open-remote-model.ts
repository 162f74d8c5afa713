import { createOpenAiProvider } from "./adapters/openai/openai-provider.ts";
import type { EmbeddingMetrics } from "./adapters/telemetry/embedding-metrics.ts";
import type { EmbeddingConfig } from "./config.ts";
import type { LoadedModel } from "./domain/model-registry.ts";
import type { RemoteModelSpec } from "./domain/remote/presets.ts";
import { createProviderAccount, type ProviderAccount } from "./domain/remote/provider-account.ts";
import { createRemoteEmbedder } from "./domain/remote/remote-embedder.ts";

/** Addresses that the configuration gives instead of the presets' own, by provider. */
function baseUrlOf(spec: RemoteModelSpec, config: EmbeddingConfig): string {
  const overruled: Readonly<Record<string, string | undefined>> = {
    openai: config.OPENAI_BASE_URL,
    fireworks: config.FIREWORKS_BASE_URL,
  };
  return (overruled[spec.provider] ?? spec.baseUrl).replace(/\/+$/, "");
}

/** Accounts by address, key, and model where limits are the model's own: all that use one share its limits. */
export class ProviderAccounts {
  readonly #accounts = new Map<string, ProviderAccount>();

  of(spec: RemoteModelSpec, baseUrl: string): ProviderAccount {
    const key = JSON.stringify([baseUrl, spec.apiKeyVariable, spec.model]);
    let account = this.#accounts.get(key);
    if (account === undefined) {
      account = createProviderAccount(spec);
      this.#accounts.set(key, account);
    }
    return account;
  }
}

/** A model of a remote provider: there is nothing to load, so it is ready at once. */
export function openRemoteModel(
  spec: RemoteModelSpec,
  config: EmbeddingConfig,
  deps: { accounts: ProviderAccounts; telemetry: EmbeddingMetrics; name: string },
): LoadedModel {
  const { name, telemetry } = deps;
  const baseUrl = baseUrlOf(spec, config);
  const [requested, retried, waited] = [
    telemetry.onRemoteRequest(name),
    telemetry.onRemoteRetry(name),
    telemetry.onRateLimitWait(name),
  ];
  const provider = createOpenAiProvider({
    baseUrl,
    apiKey: spec.apiKeyVariable === undefined ? undefined : config.apiKey(spec.apiKeyVariable),
    model: spec.model,
    dimensions: spec.matryoshka ? spec.dimensions : undefined,
    encoding: spec.encoding,
    timeoutMs: spec.timeoutMs,
  });
  const embedder = createRemoteEmbedder({
    spec: { ...spec, baseUrl },
    provider,
    account: deps.accounts.of(spec, baseUrl),
    maxQueueTokens: config.EMBEDDING_MAX_QUEUE_TOKENS,
    observer: {
      requestFinished: ({ outcome, status, ms }) => requested({ outcome: status?.toString() ?? outcome, ms }),
      retried: ({ reason }) => retried(reason),
      rateLimitWait: ({ ms }) => waited(ms),
    },
  });
  return {
    served: {
      embedder,
      tokens: undefined,
      local: undefined,
      shortenable: spec.matryoshka,
      source: baseUrl,
      maxQueueTokens: config.EMBEDDING_MAX_QUEUE_TOKENS,
      pricePerMillionTokens: spec.pricePerMillionTokens,
    },
    cache: undefined,
    [Symbol.asyncDispose]: async () => undefined,
  };
}
