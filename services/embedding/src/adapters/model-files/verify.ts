import {
  FileAbsent,
  type FoundFile,
  type OnProgress,
  type SourceName,
  type WantedFile,
} from "../../domain/model-files.ts";
import { fileSize, sha256OfFile } from "../files.ts";

/** The file at `path` is there, and is not the one that is wanted. */
export class WrongBytes extends Error {}

/**
 * Makes sure that the file at `path` is the one that is wanted, byte for byte as far as that is known, and finds out the rest.
 * @throws FileAbsent when it is not there; WrongBytes when it is another one.
 */
export async function verify(
  path: string,
  file: WantedFile,
  source: SourceName,
  onProgress: OnProgress,
): Promise<FoundFile> {
  const { name } = file;
  const bytes = await fileSize(path);
  if (bytes === undefined) throw new FileAbsent(`${name} is not there`);
  if (file.bytes !== undefined && bytes !== file.bytes) {
    throw new WrongBytes(`${name} has ${bytes} bytes, expected ${file.bytes}`);
  }
  const sha256 = await sha256OfFile(path, (done) => {
    onProgress({ phase: "verify", done, total: bytes, source });
  });
  if (file.sha256 !== undefined && sha256 !== file.sha256) {
    throw new WrongBytes(`${name} has SHA-256 ${sha256}, expected ${file.sha256}`);
  }
  return { name, bytes, sha256, path };
}
