import type { OutputFile } from "./generation.ts";

/** Whether outputs say what an output_path says by itself, and no more: one file of which nothing else is known. */
export function isBarePath(outputs: readonly OutputFile[], outputPath: string): boolean {
  const [first, ...others] = outputs;
  return (
    first !== undefined &&
    others.length === 0 &&
    first.path === outputPath &&
    first.sizeBytes === undefined &&
    first.sha256 === undefined &&
    first.state === "unknown" &&
    first.verifiedAtMicros === undefined
  );
}
