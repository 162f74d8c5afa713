import { formatBytes } from "../terminal/format.ts";

const SOURCES: Record<string, string> = {
  directory: "the folder EMBEDDING_MODEL_DIR",
  cache: "the cache",
  hub: "the Hugging Face hub",
  package: "the package mirror",
};

/** Where a model's files come from, for people. */
export function describeSource(source: string): string {
  return SOURCES[source] ?? source;
}

/**
 * What is being done to make a model ready.
 * @param total bytes of the file in hand
 */
export function describePhase(phase: string, source: string, total: number): string {
  switch (phase) {
    case "download":
      return `downloading ${formatBytes(total)} from ${describeSource(source)}`;
    case "verify":
      return "checking the files";
    case "compile":
      return "compiling";
    default:
      return phase;
  }
}
