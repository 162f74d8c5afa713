import { createClient } from "@connectrpc/connect";
import { EmbeddingService } from "@kindred/contracts/embedding/v1";
import { createInMemoryTransport } from "@kindred/rpc";
import { silentLogger } from "@kindred/testing";
import { Admission } from "../domain/admission.ts";
import type { Embeddings, EmbedOptions } from "../domain/embedder.ts";
import { createSpace } from "../domain/embedding-space.ts";
import type { LocalEmbedder } from "../domain/local-embedder.ts";
import { ModelRegistry, type LoadHooks, type ModelEntry } from "../domain/model-registry.ts";
import type { ServedModel } from "../domain/served-model.ts";
import type { CallDeps } from "./deps.ts";
import { embeddingRoutes } from "./routes.ts";

export const DIMENSIONS = 4;
export const WEIGHTS_SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db";

/** Stands in for a model, to test what happens before and after it. Every vector is its text's row number. */
export class FakeEmbedder implements LocalEmbedder {
  readonly space;
  readonly vocabulary = 2000;
  readonly calls: { texts: readonly unknown[]; options: EmbedOptions }[] = [];
  /** What an embed does first; a test may let it fail or wait. */
  before: (texts: readonly unknown[]) => Promise<void> = async () => undefined;

  constructor(model: string) {
    this.space = createSpace({
      provider: "local",
      model,
      revision: "53aa51172d14",
      dimensions: DIMENSIONS,
      pooling: "mean",
      normalization: "l2",
      maxTokens: 256,
    });
  }

  async #answer(texts: readonly ArrayLike<unknown>[], options: EmbedOptions): Promise<Embeddings> {
    this.calls.push({ texts, options });
    await this.before(texts);
    const vectors = new Float32Array(texts.length * DIMENSIONS);
    for (const row of texts.keys()) vectors.fill(row, row * DIMENSIONS, (row + 1) * DIMENSIONS);
    const tokenCounts = texts.map((text) => text.length + 2);
    return {
      vectors,
      tokenCounts,
      truncated: texts.map((text) => text.length > 5),
      totalTokens: tokenCounts.reduce((sum, count) => sum + count, 0),
      cachedTexts: 0,
      queueMs: 1500,
      tokenizeMs: 2,
      inferenceMs: 3,
    };
  }

  embed(texts: readonly string[], options: EmbedOptions): Promise<Embeddings> {
    return this.#answer(texts, options);
  }

  embedTokens(texts: readonly (readonly number[])[], options: EmbedOptions): Promise<Embeddings> {
    return this.#answer(texts, options);
  }

  async tokenize(texts: readonly string[]) {
    return texts.map((text) => ({
      ids: [101, text.length, 102],
      tokens: ["[CLS]", text, "[SEP]"],
      truncated: false,
    }));
  }
}

export class FakeEntry implements ModelEntry {
  readonly name: string;
  readonly aliases: readonly string[];
  readonly provider: string;
  readonly space;
  readonly embedder: FakeEmbedder;
  readonly #shortenable: boolean;

  constructor(
    name: string,
    options: { aliases?: readonly string[]; provider?: string; shortenable?: boolean } = {},
  ) {
    this.name = name;
    this.aliases = options.aliases ?? [];
    this.provider = options.provider ?? "local";
    this.embedder = new FakeEmbedder(name);
    this.space = this.embedder.space;
    this.#shortenable = options.shortenable ?? false;
  }

  async load({ reserve }: LoadHooks) {
    await reserve(1000);
    const local = this.provider === "local";
    const served: ServedModel = {
      embedder: this.embedder,
      tokens: local ? this.embedder : undefined,
      local: local
        ? {
            precision: "int8",
            requestedProvider: "auto",
            effectiveProvider: "cpu",
            providerReason: "no library",
            workers: 3,
            threadsPerWorker: 1,
            weightsSha256: WEIGHTS_SHA256,
            maxBatchTokens: 512,
          }
        : undefined,
      shortenable: this.#shortenable,
      source: local ? "hub" : "https://provider.example/v1",
      maxQueueTokens: 1000,
      pricePerMillionTokens: local ? undefined : 0.1,
    };
    return {
      served,
      cache: local ? { path: `/cache/${this.name}`, bytes: 4000 } : undefined,
      [Symbol.asyncDispose]: async () => undefined,
    };
  }

  async pull(onProgress: Parameters<ModelEntry["pull"]>[0]) {
    onProgress({ phase: "download", done: 10, total: 4000, source: "hub" });
    await new Promise((resolve) => setTimeout(resolve, 300));
    onProgress({ phase: "compile", done: 4000, total: 4000, source: "hub" });
    return { path: `/cache/${this.name}`, bytes: 4000 };
  }
}

/** The service over three models that do not compute anything. */
export function setUp(options: { maxConcurrent?: number } = {}) {
  const maxConcurrent = options.maxConcurrent ?? 512;
  const first = new FakeEntry("first", { aliases: ["org/first"] });
  const second = new FakeEntry("second", { shortenable: true });
  const remote = new FakeEntry("far/away", { provider: "far" });
  const deps: CallDeps = {
    registry: new ModelRegistry({ entries: [first, second, remote], memoryLimit: 1_000_000 }),
    admission: new Admission({ maxConcurrent }),
    maxConcurrentRequests: maxConcurrent,
  };
  const transport = createInMemoryTransport(embeddingRoutes(deps), { logger: silentLogger() });
  return { deps, first, second, remote, client: createClient(EmbeddingService, transport) };
}
