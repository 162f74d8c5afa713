import { Code, ConnectError } from "@connectrpc/connect";
import { BadRequestSchema, ErrorInfoSchema, RetryInfoSchema } from "@kindred/contracts/google-rpc";
import { isKindredError, KindredError, type ErrorKind } from "@kindred/errors";

/** The one table from error kinds to gRPC codes; both ports and both directions use it. */
const CODES: Record<ErrorKind, Code> = {
  "invalid-argument": Code.InvalidArgument,
  "not-found": Code.NotFound,
  "already-exists": Code.AlreadyExists,
  "failed-precondition": Code.FailedPrecondition,
  aborted: Code.Aborted,
  "resource-exhausted": Code.ResourceExhausted,
  unavailable: Code.Unavailable,
  "deadline-exceeded": Code.DeadlineExceeded,
  cancelled: Code.Canceled,
  unimplemented: Code.Unimplemented,
  "data-loss": Code.DataLoss,
  internal: Code.Internal,
};

/** Codes that Kindred never sends, as the kind that is nearest to them. */
const FOREIGN_KINDS: Partial<Record<Code, ErrorKind>> = {
  [Code.OutOfRange]: "invalid-argument",
  [Code.Unauthenticated]: "failed-precondition",
  [Code.PermissionDenied]: "failed-precondition",
};

const KINDS = new Map<Code, ErrorKind>(
  Object.entries(CODES).map(([kind, code]) => [code, kind as ErrorKind]),
);

/** `domain` of the google.rpc.ErrorInfo that carries an error's metadata. */
export const ERROR_DOMAIN = "kindred";

/**
 * The error as it travels: code, message, and google.rpc details (BadRequest for violations, RetryInfo for the retry delay,
 * ErrorInfo for metadata). A ConnectError passes as it is. Anything else becomes INTERNAL without its message; logging it
 * is the caller's business.
 */
export function toConnectError(error: unknown): ConnectError {
  if (error instanceof ConnectError) return error;
  if (!isKindredError(error))
    return new ConnectError("internal error", Code.Internal, undefined, undefined, error);
  const details: ConstructorParameters<typeof ConnectError>[3] = [];
  if (error.violations.length > 0) {
    details.push({
      desc: BadRequestSchema,
      value: { fieldViolations: error.violations.map((v) => ({ ...v })) },
    });
  }
  if (error.retryAfterMs !== undefined) {
    const whole = Math.floor(error.retryAfterMs / 1000);
    const nanos = Math.round((error.retryAfterMs - whole * 1000) * 1e6);
    details.push({ desc: RetryInfoSchema, value: { retryDelay: { seconds: BigInt(whole), nanos } } });
  }
  if (Object.keys(error.metadata).length > 0) {
    const reason = error.kind.toUpperCase().replaceAll("-", "_");
    details.push({
      desc: ErrorInfoSchema,
      value: { reason, domain: ERROR_DOMAIN, metadata: { ...error.metadata } },
    });
  }
  return new ConnectError(error.message, CODES[error.kind], undefined, details, error);
}

/** What a peer's error means here, its details included. An error that is no ConnectError is "internal". */
export function fromConnectError(error: unknown): KindredError {
  if (isKindredError(error)) return error;
  if (!(error instanceof ConnectError)) {
    return new KindredError("internal", Error.isError(error) ? error.message : String(error), {
      cause: error,
    });
  }
  const violations = error
    .findDetails(BadRequestSchema)
    .flatMap((detail) => detail.fieldViolations.map(({ field, description }) => ({ field, description })));
  const delay = error.findDetails(RetryInfoSchema)[0]?.retryDelay;
  const metadata = Object.assign(
    {},
    ...error.findDetails(ErrorInfoSchema).map((detail) => detail.metadata),
  ) as Record<string, string>;
  const kind = KINDS.get(error.code) ?? FOREIGN_KINDS[error.code] ?? "internal";
  return new KindredError(kind, error.rawMessage, {
    cause: error,
    violations,
    metadata,
    ...(delay === undefined ? {} : { retryAfterMs: Number(delay.seconds) * 1000 + delay.nanos / 1e6 }),
  });
}
