import { createHash } from "node:crypto";
import { KindredError } from "@kindred/errors";
import { modulePath, readArchitecture } from "./model-description.ts";
import type { FileChain, ObtainedFile, SourceName } from "./model-files.ts";
import type { LocalModelSpec, ModelArchitecture, ModelDescription, ModelFile } from "./model.ts";

export interface ObtainedModel {
  readonly description: ModelDescription;
  /** One file, or the parts that the weights are split into. */
  readonly weightsPaths: readonly string[];
  readonly tokenizerPath: string;
  /** Where the weights came from. */
  readonly source: SourceName;
}

export interface ObtainDeps {
  readonly files: FileChain;
  /** The parsed contents of a small file. Rejects when it is not JSON. */
  readonly readJson: (file: ObtainedFile) => Promise<unknown>;
}

const WEIGHTS = "model.safetensors";
const WEIGHTS_INDEX = "model.safetensors.index.json";
const TOKENIZER = "tokenizer.json";

/** Reads what the model's configuration files say. They are obtained before the weights: what is not supported costs no download. */
async function obtainArchitecture(
  spec: LocalModelSpec,
  { files, readJson }: ObtainDeps,
): Promise<ModelArchitecture> {
  const optional = async (name: string): Promise<unknown> => {
    const file = await files.obtainOptional(name);
    return file && readJson(file);
  };
  const config = await optional("config.json");
  const modules = await optional("modules.json");
  const pooling = modulePath(modules, "Pooling");
  return readArchitecture(
    {
      config,
      modules,
      pooling: pooling === undefined ? undefined : await optional(`${pooling}/config.json`),
      sentenceBert: await optional("sentence_bert_config.json"),
      tokenizer: await optional("tokenizer_config.json"),
      sentenceTransformers: await optional("config_sentence_transformers.json"),
    },
    { maxTokens: spec.maxTokens },
  );
}

/** Names of the files that an index of split weights points to. */
function partNames(index: unknown): readonly string[] {
  const { weight_map: map } = (index ?? {}) as { weight_map?: unknown };
  const names = typeof map === "object" && map !== null ? [...new Set(Object.values(map))] : [];
  if (names.length === 0 || !names.every((name) => typeof name === "string")) {
    throw new KindredError("data-loss", `${WEIGHTS_INDEX} has no weight_map that names files`);
  }
  return (names as string[]).toSorted();
}

async function obtainWeights({ files, readJson }: ObtainDeps): Promise<{
  weights: ModelFile;
  parts: readonly ObtainedFile[];
}> {
  const whole = await files.obtainOptional(WEIGHTS);
  if (whole !== undefined) {
    return { weights: { name: WEIGHTS, bytes: whole.bytes, sha256: whole.sha256 }, parts: [whole] };
  }
  const index = await files.obtainOptional(WEIGHTS_INDEX);
  if (index === undefined) {
    throw new KindredError(
      "failed-precondition",
      `The model has neither ${WEIGHTS} nor ${WEIGHTS_INDEX}; weights in other formats (pytorch_model.bin) are not read.`,
    );
  }
  const parts: ObtainedFile[] = [];
  for (const name of partNames(await readJson(index))) parts.push(await files.obtain(name));
  const sha256 = createHash("sha256")
    .update(parts.map((part) => part.sha256).join())
    .digest("hex");
  const bytes = parts.reduce((sum, part) => sum + part.bytes, 0);
  return { weights: { name: WEIGHTS_INDEX, bytes, sha256 }, parts };
}

/**
 * Obtains all that a model consists of.
 * @throws KindredError unavailable naming what could not be had and why; failed-precondition naming what is not supported.
 */
export async function obtainModel(spec: LocalModelSpec, deps: ObtainDeps): Promise<ObtainedModel> {
  const architecture = spec.architecture ?? (await obtainArchitecture(spec, deps));
  // Before the tokenizer: a source that delivers both at once puts the other into the cache.
  const { weights, parts } = await obtainWeights(deps);
  const { path, name, bytes, sha256 } = await deps.files.obtain(TOKENIZER);
  return {
    description: {
      name: spec.repository,
      architecture: { ...architecture, maxTokens: spec.maxTokens ?? architecture.maxTokens },
      weights,
      tokenizer: { name, bytes, sha256 },
    },
    weightsPaths: parts.map((part) => part.path),
    tokenizerPath: path,
    source: (parts[0] as ObtainedFile).source,
  };
}
