import { expect } from "@jest/globals";
import type { KindredError } from "@kindred/errors";
import type { OpenAiServer } from "@kindred/testing";
import { createOpenAiProvider } from "../src/adapters/openai/openai-provider.ts";
import type { Embedder } from "../src/domain/embedder.ts";
import { completeRemoteSpec, type PartialRemoteSpec } from "../src/domain/remote/presets.ts";
import { createProviderAccount, type ProviderAccount } from "../src/domain/remote/provider-account.ts";
import { createRemoteEmbedder, type RemoteObserver } from "../src/domain/remote/remote-embedder.ts";
import { RETRY_POLICY } from "../src/domain/remote/retry-policy.ts";

export const KEY = "sk-secret-0123456789";

export interface RemoteOptions extends Partial<PartialRemoteSpec> {
  key?: string | undefined;
  account?: ProviderAccount;
  observer?: RemoteObserver;
  maxAttempts?: number;
}

/** An embedder of the server's model, which does not wait long before it tries again. */
export function openRemote(server: OpenAiServer, options: RemoteOptions = {}): Embedder {
  const { key = KEY, account, observer, maxAttempts = 3, ...rest } = options;
  const spec = completeRemoteSpec({
    name: "test/embedding",
    provider: "test",
    baseUrl: server.baseUrl,
    model: "test-embedding",
    dimensions: 8,
    matryoshka: true,
    apiKeyVariable: "TEST_API_KEY",
    timeoutMs: 5000,
    ...rest,
  });
  return createRemoteEmbedder({
    spec,
    provider: createOpenAiProvider({
      baseUrl: spec.baseUrl,
      apiKey: key,
      model: spec.model,
      dimensions: spec.matryoshka ? spec.dimensions : undefined,
      encoding: spec.encoding,
      timeoutMs: spec.timeoutMs,
    }),
    account: account ?? createProviderAccount(spec),
    maxQueueTokens: 1_000_000,
    policy: { ...RETRY_POLICY, baseMs: 5, maxMs: 20, maxAttempts },
    observer,
  });
}

/** What `work` is rejected with; a failure of the test when it is not. */
export async function rejection(work: Promise<unknown>): Promise<KindredError> {
  const outcome = await work.then(
    () => undefined,
    (error: unknown) => ({ error }),
  );
  expect(outcome).toBeDefined();
  return outcome?.error as KindredError;
}
