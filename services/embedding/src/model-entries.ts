import type { Logger } from "@kindred/telemetry";
import type { EmbeddingMetrics } from "./adapters/telemetry/embedding-metrics.ts";
import type { EmbeddingConfig } from "./config.ts";
import type { CatalogueEntry } from "./domain/catalogue.ts";
import { likelyPrecision } from "./adapters/onnx/likely-precision.ts";
import type { LoadedModel, LoadHooks, ModelEntry } from "./domain/model-registry.ts";
import type { ModelProgress } from "./domain/model-files.ts";
import { remoteSpace } from "./domain/remote/presets.ts";
import { createCachedEmbedder, type VectorCache } from "./domain/vector-cache.ts";
import { openLocalModel } from "./open-local-model.ts";
import { openRemoteModel, ProviderAccounts } from "./open-remote-model.ts";
import { prepareModel } from "./prepare-model.ts";
import { throttleProgress } from "./throttle-progress.ts";

export interface EntryDeps {
  readonly logger: Logger;
  readonly cache: VectorCache;
  readonly telemetry: EmbeddingMetrics;
  /** Tells whether any worker is there to run a model's batches. */
  readonly onAvailable: (name: string, available: boolean) => void;
}

/** The models of the configuration, as the registry takes them. */
export function modelEntries(config: EmbeddingConfig, deps: EntryDeps): readonly ModelEntry[] {
  const accounts = new ProviderAccounts();
  return config.models.map((model) =>
    model.kind === "local" ? localEntry(model, config, deps) : remoteEntry(model, config, deps, accounts),
  );
}

function describe({ phase, done, total, source }: ModelProgress): string {
  return `${phase} ${Math.floor((100 * done) / total)} %, source: ${source}`;
}

/** The model with the cache of recent vectors before it, and everything counted. */
function finish(
  name: string,
  model: LoadedModel,
  { cache, telemetry }: EntryDeps,
  shown: Iterable<Disposable>,
): LoadedModel {
  const { embedder, local } = model.served;
  const owned = new AsyncDisposableStack();
  owned.use(model);
  for (const item of shown) owned.use(item);
  owned.use(
    telemetry.showProvider(name, {
      provider: local?.effectiveProvider ?? "remote",
      precision: local?.precision ?? "",
    }),
  );
  return {
    served: {
      ...model.served,
      embedder: telemetry.observed(createCachedEmbedder(embedder, cache), name),
    },
    cache: model.cache,
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}

function localEntry(
  { name, aliases, spec }: CatalogueEntry & { kind: "local" },
  config: EmbeddingConfig,
  deps: EntryDeps,
): ModelEntry {
  const { logger, telemetry, onAvailable } = deps;
  return {
    name,
    aliases,
    provider: "local",
    // It has the weights' hash, which is known once they are there.
    space: undefined,
    load: async ({ onProgress, reserve }: LoadHooks) => {
      const model = await openLocalModel(spec, config, {
        logger,
        onAvailable: (available) => onAvailable(name, available),
        onProgress: throttleProgress((progress) => {
          onProgress(describe(progress));
          logger.debug({ model: name, ...progress }, "preparing a model");
        }),
        onBatch: telemetry.onBatch(name),
        reserve,
      });
      return finish(name, model, deps, [telemetry.showQueue(name, model.scheduler)]);
    },
    pull: async (onProgress) => {
      const precision = likelyPrecision(
        spec.precision ?? config.EMBEDDING_PRECISION,
        config.EMBEDDING_PROVIDER,
      );
      const { modelPath, modelBytes } = await prepareModel(spec, { config, precision, onProgress, logger });
      return { path: modelPath, bytes: modelBytes };
    },
  };
}

function remoteEntry(
  { name, aliases, spec }: CatalogueEntry & { kind: "remote" },
  config: EmbeddingConfig,
  deps: EntryDeps,
  accounts: ProviderAccounts,
): ModelEntry {
  return {
    name,
    aliases,
    provider: spec.provider,
    space: remoteSpace(spec),
    load: async () => {
      const { telemetry } = deps;
      return finish(name, openRemoteModel(spec, config, { accounts, telemetry, name }), deps, []);
    },
    // There is nothing to obtain.
    pull: async () => undefined,
  };
}
