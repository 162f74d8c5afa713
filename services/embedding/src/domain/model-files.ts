import { KindredError, messageOf } from "@kindred/errors";
import type { LocalModelSpec, ModelFile } from "./model.ts";

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

/** A file by its name in the model's repository, and what is known of its bytes: then nothing else is accepted. */
export interface WantedFile {
  readonly name: string;
  readonly bytes?: number;
  /** Hexadecimal. */
  readonly sha256?: string;
}

/** A file that is there, verified. */
export interface FoundFile extends ModelFile {
  /** It stays there. */
  readonly path: string;
}

/** A source says for certain that there is no such file in the model, which for some files is an answer. */
export class FileAbsent extends Error {
  override readonly name = "FileAbsent";
}

/** One place to get model files from. */
export interface ModelSource {
  readonly name: SourceName;
  /** For people: the folder, address or package. */
  readonly place: string;
  /**
   * The file, with exactly the bytes that its hash demands where that is known. Rejects with FileAbsent when the model has no such
   * file, and with another error whose message says why it could not be had, and what would help.
   */
  obtain(file: WantedFile, onProgress: OnProgress): Promise<FoundFile>;
}

export interface SourceFailure {
  readonly source: SourceName;
  readonly place: string;
  readonly reason: string;
}

/** A file and which source it came from. */
export interface ObtainedFile extends FoundFile {
  readonly source: SourceName;
}

/** What is known of a model's files before they are obtained; null for those that it is known not to have. */
export type KnownFiles = Readonly<Record<string, Omit<WantedFile, "name"> | null>>;

export interface FileChainOptions {
  readonly spec: Pick<LocalModelSpec, "name" | "files">;
  /** In the order in which they are asked. */
  readonly sources: readonly ModelSource[];
  /** What was found the first time that this revision was obtained. The spec's own pins go before it. */
  readonly known: KnownFiles;
  readonly onProgress: OnProgress;
  /** Hears of every source that failed, also when a later one succeeds. */
  readonly onFailure: (failure: SourceFailure) => void;
}

/** The files of one model, each from the first source that has it. */
export interface FileChain {
  /** @throws KindredError unavailable naming every source and why it failed. */
  obtain(name: string): Promise<ObtainedFile>;
  /** Undefined when the model has no such file. @throws KindredError unavailable when that cannot be found out. */
  obtainOptional(name: string): Promise<ObtainedFile | undefined>;
}

/** Names that stay below the folder that they are joined to, on every system. */
const SAFE_NAME = /^(?!.*(?:^|\/)\.{1,2}(?:\/|$))[\w.-]+(?:\/[\w.-]+)*$/;

/** @throws KindredError failed-precondition when a name from a model's own files leads out of its folder. */
function requireSafeName(name: string): void {
  if (SAFE_NAME.test(name)) return;
  throw new KindredError("failed-precondition", `${JSON.stringify(name)} is no name of a model's file`);
}

function noSourceLeft(
  { name: model, files }: FileChainOptions["spec"],
  { name, sha256 }: WantedFile,
  failures: readonly SourceFailure[],
): KindredError {
  const lines = failures.map(({ source, place, reason }) => `  ${source} (${place}): ${reason}`);
  const what = sha256 === undefined ? name : `${name} (SHA-256 ${sha256})`;
  const folder =
    files === undefined
      ? `put all files of its repository into a folder and name it as the model's "directory".`
      : `put ${Object.keys(files).join(" and ")} into a folder and name it in EMBEDDING_MODEL_DIR.`;
  const message = [
    `The model file ${what} of ${model} could not be obtained:`,
    ...lines,
    `Remedy: allow one of these, or ${folder}`,
  ].join("\n");
  return new KindredError("unavailable", message);
}

/** Asks the sources in order. A source over the network that failed is not asked again. */
export function createFileChain(options: FileChainOptions): FileChain {
  const { spec, sources, known, onProgress, onFailure } = options;
  const failed = new Map<SourceName, SourceFailure>();

  const find = async (name: string): Promise<ObtainedFile | "absent"> => {
    requireSafeName(name);
    const pin = spec.files?.[name] ?? known[name];
    if (pin === null) return "absent";
    const wanted: WantedFile = { name, ...pin };
    const failures = new Map<SourceName, SourceFailure>();
    for (const source of sources) {
      // A cache without one file may well have the other; what was tried in vain over the network is not tried twice.
      const earlier = failed.get(source.name);
      if (earlier !== undefined) {
        failures.set(source.name, earlier);
        continue;
      }
      try {
        return { ...(await source.obtain(wanted, onProgress)), source: source.name };
      } catch (error) {
        if (error instanceof FileAbsent && wanted.sha256 === undefined) return "absent";
        const failure = { source: source.name, place: source.place, reason: messageOf(error) };
        failures.set(source.name, failure);
        if (source.name === "hub" || source.name === "package") failed.set(source.name, failure);
        onFailure(failure);
      }
    }
    throw noSourceLeft(spec, wanted, [...failures.values()]);
  };

  return {
    obtain: async (name) => {
      const found = await find(name);
      if (found !== "absent") return found;
      const reason = "the model has no such file";
      const [first] = sources;
      throw noSourceLeft(
        spec,
        { name },
        first === undefined ? [] : [{ source: first.name, place: first.place, reason }],
      );
    },
    obtainOptional: async (name) => {
      const found = await find(name);
      return found === "absent" ? undefined : found;
    },
  };
}
