import { isKindredError } from "@kindred/errors";
import { StageError, type Stage } from "@kindred/songs";
import { EXIT, type ExitCode } from "../exit-codes.ts";
import { explain, Failure } from "../failure.ts";

/** What the pipeline failed with, as people are told about it; anything else as it is. */
export function stageFailure(error: unknown, url: string): unknown {
  if (!(error instanceof StageError)) return error;
  const { stage, cause } = error;
  const { message, remedy, exitCode } = explain(cause, url);
  return new Failure(message, {
    exitCode: exitCodeOf(stage, cause) ?? exitCode,
    remedy: remedyOf(stage, cause, remedy),
    cause: error,
  });
}

/** Whether it is what stageFailure makes of a failure of the pipeline. */
export function isStageFailure(error: unknown): boolean {
  return error instanceof Failure && error.cause instanceof StageError;
}

function exitCodeOf(stage: Stage, cause: unknown): ExitCode | undefined {
  if (!isKindredError(cause)) return undefined;
  if (cause.kind === "data-loss" && stage !== "service") return EXIT.data;
  if (cause.kind === "invalid-argument" && stage === "source") return EXIT.data;
  if (cause.kind === "resource-exhausted" && stage === "cache") return EXIT.cannotWrite;
  if (isDenied(cause.metadata)) return EXIT.config;
  return undefined;
}

function remedyOf(stage: Stage, cause: unknown, usual: string | undefined): string | undefined {
  if (!isKindredError(cause)) return usual;
  if (stage !== "service") return undefined;
  if (isDenied(cause.metadata)) return "Give the embedding service a key that is valid, and restart it.";
  // Calls that may succeed a moment later have been made again for as long as patience lasted.
  if (cause.kind === "resource-exhausted" && cause.metadata["provider"] !== undefined) return undefined;
  return usual;
}

function isDenied(metadata: Readonly<Record<string, string>>): boolean {
  return ["401", "403"].includes(metadata["provider_status"] ?? "");
}
