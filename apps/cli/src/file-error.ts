import { messageOf } from "@kindred/errors";
import { EXIT } from "./exit-codes.ts";
import { Failure } from "./failure.ts";

const READ_REASONS: Record<string, string> = {
  ENOENT: "there is no such file",
  EISDIR: "it is a folder",
  EACCES: "it may not be read",
};

/** Why a file that was named on the command line cannot be read, in one line. */
export function unreadable(path: string, error: unknown): Failure {
  const reason = READ_REASONS[(error as NodeJS.ErrnoException).code ?? ""] ?? messageOf(error);
  return new Failure(`${path} cannot be read: ${reason}.`, { exitCode: EXIT.data, cause: error });
}

const WRITE_REASONS: Record<string, string> = {
  ENOENT: "there is no such folder",
  ENOTDIR: "there is no such folder",
  EISDIR: "it is a folder",
  EACCES: "its folder may not be written to",
  EPERM: "its folder may not be written to",
  EROFS: "its folder may not be written to",
  ENOSPC: "the disk is full",
  EDQUOT: "the disk is full",
};

/** Why a file that was named on the command line cannot be written, in one line. */
export function unwritable(path: string, error: unknown): Failure {
  const reason = WRITE_REASONS[(error as NodeJS.ErrnoException).code ?? ""] ?? messageOf(error);
  return new Failure(`${path} cannot be written: ${reason}.`, { exitCode: EXIT.cannotWrite, cause: error });
}
