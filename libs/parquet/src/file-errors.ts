import { KindredError, isKindredError, messageOf, type ErrorKind } from "@kindred/errors";

const kinds: Readonly<Record<string, ErrorKind>> = {
  ENOENT: "not-found",
  EISDIR: "invalid-argument",
  ENOTDIR: "invalid-argument",
  EACCES: "failed-precondition",
  EPERM: "failed-precondition",
  EROFS: "failed-precondition",
  ENOSPC: "resource-exhausted",
  EDQUOT: "resource-exhausted",
  EFBIG: "resource-exhausted",
  EMFILE: "resource-exhausted",
  ENFILE: "resource-exhausted",
};

const reasons: Readonly<Record<string, string>> = {
  ENOENT: "there is no such file or folder",
  EISDIR: "it is a folder",
  ENOTDIR: "what should be a folder is a file",
  EACCES: "permission denied",
  EPERM: "not permitted",
  EROFS: "the file system is read-only",
  ENOSPC: "no space left on the disk",
  EDQUOT: "the quota of the disk is used up",
  EFBIG: "the file would be larger than is allowed",
};

/** What the operating system says about a file, as a KindredError. `doing` is e.g. "cannot write songs.parquet". */
export function fileError(doing: string, error: unknown): KindredError {
  if (isKindredError(error)) return error;
  const code = Error.isError(error) && "code" in error ? String(error.code) : "";
  return new KindredError(kinds[code] ?? "unavailable", `${doing}: ${reasons[code] ?? messageOf(error)}`, {
    cause: error,
  });
}
