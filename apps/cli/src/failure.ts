import { ConnectError } from "@connectrpc/connect";
import { ConfigError } from "@kindred/config";
import { isKindredError, messageOf, type ErrorKind, type KindredError } from "@kindred/errors";
import { fromConnectError } from "@kindred/rpc";
import { EXIT, type ExitCode } from "./exit-codes.ts";
import { isNetworkCode, systemCodeOf } from "./system-error.ts";

/** An outcome that was foreseen: what happened and what to do about it, in a line each. */
export class Failure extends Error {
  override readonly name = "Failure";
  readonly exitCode: ExitCode;
  readonly remedy: string | undefined;

  constructor(
    message: string,
    options: { exitCode?: ExitCode; remedy?: string | undefined; cause?: unknown } = {},
  ) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.exitCode = options.exitCode ?? EXIT.failure;
    this.remedy = options.remedy;
  }
}

/** An error as a person or a program is told about it. */
export interface Explanation {
  kind: ErrorKind | "usage" | "config" | "failure";
  message: string;
  remedy: string | undefined;
  exitCode: ExitCode;
  violations?: KindredError["violations"];
}

const EXIT_CODES: Partial<Record<ErrorKind, ExitCode>> = {
  "invalid-argument": EXIT.usage,
  unavailable: EXIT.unavailable,
  "deadline-exceeded": EXIT.unavailable,
  "resource-exhausted": EXIT.unavailable,
  cancelled: EXIT.interrupted,
};

/** @param url where the command looked for Kindred */
export function explain(error: unknown, url: string): Explanation {
  if (error instanceof Failure) {
    return { kind: "failure", message: error.message, remedy: error.remedy, exitCode: error.exitCode };
  }
  if (error instanceof ConfigError) {
    return { kind: "config", message: error.message, remedy: undefined, exitCode: EXIT.config };
  }
  const systemCode = systemCodeOf(error);
  if (systemCode !== undefined && isNetworkCode(systemCode)) {
    return {
      kind: "unavailable",
      message: `Kindred cannot be reached at ${url} (${systemCode}).`,
      remedy: "Is it running? Start it with: npm start   (another place: --url or KINDRED_URL)",
      exitCode: EXIT.unavailable,
    };
  }
  if (systemCode === "ENOSPC" || systemCode === "EDQUOT") {
    return {
      kind: "resource-exhausted",
      message: `The disk is full: ${messageOf(error)}`,
      remedy: undefined,
      exitCode: EXIT.cannotWrite,
    };
  }
  if (isKindredError(error) || error instanceof ConnectError)
    return explainCall(fromConnectError(error), url);
  return { kind: "internal", message: messageOf(error), remedy: undefined, exitCode: EXIT.failure };
}

function explainCall(error: KindredError, url: string): Explanation {
  const remedies: Partial<Record<ErrorKind, string>> = {
    unavailable: "Which service is away: kindred health",
    "deadline-exceeded": "Give it longer with --timeout, e.g. --timeout 2m",
    "resource-exhausted": "Try again in a moment.",
    internal: "The services' logs say more (kindred up keeps them in the folder logs of its home).",
    unimplemented: `Is ${url} Kindred's origin, and of this version?`,
  };
  return {
    kind: error.kind,
    message: error.message,
    remedy: remedies[error.kind],
    exitCode: EXIT_CODES[error.kind] ?? EXIT.failure,
    ...(error.violations.length > 0 && { violations: error.violations }),
  };
}
