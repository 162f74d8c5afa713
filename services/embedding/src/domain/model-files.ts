import { KindredError, messageOf } from "@kindred/errors";
import type { ModelDescription, ModelFile } from "./model.ts";

/** Where a model file may come from, in the order in which the sources are asked. */
export type SourceName = "directory" | "cache" | "hub" | "package";

/** What is being done to obtain the model; `done` and `total` are bytes of the file in hand. */
export interface ModelProgress {
  readonly phase: "download" | "verify" | "compile";
  readonly done: number;
  readonly total: number;
  readonly source: SourceName;
}

export type OnProgress = (progress: ModelProgress) => void;

/** One place to get model files from. */
export interface ModelSource {
  readonly name: SourceName;
  /** For people: the folder, address or package. */
  readonly place: string;
  /**
   * A path at which the file lies with exactly the bytes that its hash demands; it stays there.
   * Rejects with an error whose message says why there is none, and what would help.
   */
  obtain(file: ModelFile, onProgress: OnProgress): Promise<string>;
}

export interface ObtainedModel {
  readonly weightsPath: string;
  readonly tokenizerPath: string;
  /** Where the weights came from. */
  readonly source: SourceName;
}

export interface SourceFailure {
  readonly source: SourceName;
  readonly place: string;
  readonly reason: string;
}

function noSourceLeft(file: ModelFile, failures: readonly SourceFailure[]): KindredError {
  const lines = failures.map(({ source, place, reason }) => `  ${source} (${place}): ${reason}`);
  const message = [
    `The model file ${file.name} (SHA-256 ${file.sha256}) could not be obtained:`,
    ...lines,
    "Remedy: allow one of these, or put model.safetensors and tokenizer.json into a folder and name it in EMBEDDING_MODEL_DIR.",
  ].join("\n");
  return new KindredError("unavailable", message);
}

/**
 * Obtains the model's files, each from the first source that has it. A source that failed is not asked again.
 * @param onFailure hears of every source that failed, also when a later one succeeds.
 * @throws KindredError unavailable naming every source and why it failed.
 */
export async function obtainModel(
  model: ModelDescription,
  sources: readonly ModelSource[],
  onProgress: OnProgress,
  onFailure: (failure: SourceFailure) => void,
): Promise<ObtainedModel> {
  const failures = new Map<SourceName, SourceFailure>();
  const obtain = async (file: ModelFile): Promise<{ path: string; source: SourceName }> => {
    for (const source of sources) {
      // A cache without one file may well have the other; what was tried in vain over the network is not tried twice.
      const remote = source.name === "hub" || source.name === "package";
      if (remote && failures.has(source.name)) continue;
      try {
        return { path: await source.obtain(file, onProgress), source: source.name };
      } catch (error) {
        const failure = { source: source.name, place: source.place, reason: messageOf(error) };
        failures.set(source.name, failure);
        onFailure(failure);
      }
    }
    throw noSourceLeft(file, [...failures.values()]);
  };
  // The larger one first: a source that delivers both at once puts the other into the cache.
  const weights = await obtain(model.weights);
  const tokenizer = await obtain(model.tokenizer);
  return { weightsPath: weights.path, tokenizerPath: tokenizer.path, source: weights.source };
}
