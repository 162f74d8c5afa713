import type { ModelFile } from "../../domain/model.ts";
import type { OnProgress, SourceName } from "../../domain/model-files.ts";
import { fileSize, sha256OfFile } from "../files.ts";

/** Why the file at `path` is not the one that is wanted, or undefined when it is, byte for byte. */
export async function mismatch(
  path: string,
  file: ModelFile,
  source: SourceName,
  onProgress: OnProgress,
): Promise<string | undefined> {
  const size = await fileSize(path);
  if (size === undefined) return `${file.name} is not there`;
  if (size !== file.bytes) return `${file.name} has ${size} bytes, expected ${file.bytes}`;
  const sha256 = await sha256OfFile(path, (done) => {
    onProgress({ phase: "verify", done, total: file.bytes, source });
  });
  return sha256 === file.sha256 ? undefined : `${file.name} has SHA-256 ${sha256}, expected ${file.sha256}`;
}
