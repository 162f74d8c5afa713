import { Code, ConnectError } from "@connectrpc/connect";
import { BadRequestSchema, ErrorInfoSchema, RetryInfoSchema } from "@kindred/contracts/google-rpc";
import { isKindredError, KindredError, type ErrorKind, type FieldViolation } from "@kindred/errors";

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

// An error travels in HTTP trailers, percent-encoded and once more as base64, and grpc-java and gRPC's C core refuse trailers of
// more than 8 KiB altogether: a thousand bad fields must not turn INVALID_ARGUMENT into a broken connection.
const MAX_MESSAGE_BYTES = 1000;
const MAX_VIOLATIONS_BYTES = 1600;

/** As gRPC's documentation writes it, e.g. INVALID_ARGUMENT; OK for undefined. */
export function codeName(code: Code | undefined): string {
  if (code === undefined) return "OK";
  if (code === Code.Canceled) return "CANCELLED";
  return Code[code].replaceAll(/\B[A-Z]/g, "_$&").toUpperCase();
}

/** The code that a call failed with, as its peer sent it; UNKNOWN for what is no failure of a call. */
export function codeOf(error: unknown): Code {
  if (error instanceof ConnectError) return error.code;
  if (!isKindredError(error)) return Code.Unknown;
  return error.cause instanceof ConnectError ? error.cause.code : CODES[error.kind];
}

/**
 * The error as it travels: code, message, and google.rpc details (ErrorInfo with the kind and the metadata, BadRequest for
 * violations, RetryInfo for the retry delay). Long messages are cut; of many violations the first ones travel, and
 * ErrorInfo's metadata says in `violations_total` how many there are. A ConnectError passes as it is. Anything else
 * becomes INTERNAL without its message; logging it is the caller's business.
 */
export function toConnectError(error: unknown): ConnectError {
  if (error instanceof ConnectError) return error;
  if (!isKindredError(error)) return unknownError(error);
  const metadata = { ...error.metadata };
  const details: NonNullable<ConstructorParameters<typeof ConnectError>[3]> = [];
  if (error.violations.length > 0) {
    const fieldViolations = firstViolations(error.violations);
    details.push({ desc: BadRequestSchema, value: { fieldViolations } });
    if (fieldViolations.length < error.violations.length) {
      metadata["violations_total"] = String(error.violations.length);
    }
  }
  if (error.retryAfterMs !== undefined) {
    const whole = Math.floor(error.retryAfterMs / 1000);
    const nanos = Math.round((error.retryAfterMs - whole * 1000) * 1e6);
    details.push({ desc: RetryInfoSchema, value: { retryDelay: { seconds: BigInt(whole), nanos } } });
  }
  const reason = error.kind.toUpperCase().replaceAll("-", "_");
  details.push({ desc: ErrorInfoSchema, value: { reason, domain: ERROR_DOMAIN, metadata } });
  return new ConnectError(
    cutText(error.message, MAX_MESSAGE_BYTES),
    CODES[error.kind],
    undefined,
    details,
    error,
  );
}

/** What a caller may know of an error that nobody declared: that there was one. */
export function unknownError(cause?: unknown): ConnectError {
  return new ConnectError("internal error", Code.Internal, undefined, undefined, cause);
}

/** Connect's own words for a binary message that it cannot decode, which it takes for the server's fault. */
const PARSE_FAILURE = "parse binary: ";

/** The same error, but a request that cannot be decoded is its caller's fault, as it is for JSON. */
export function blameCaller(error: ConnectError): ConnectError {
  if (error.code !== Code.Internal || !error.rawMessage.startsWith(PARSE_FAILURE)) return error;
  return malformedRequest(error.rawMessage.slice(PARSE_FAILURE.length));
}

export function malformedRequest(reason: string): ConnectError {
  return new ConnectError(`the request is no valid protobuf message: ${reason}`, Code.InvalidArgument);
}

function firstViolations(violations: readonly FieldViolation[]): FieldViolation[] {
  const first: FieldViolation[] = [];
  let bytes = 0;
  for (const { field, description } of violations) {
    const violation = { field: cutText(field, 200), description: cutText(description, 400) };
    bytes += Buffer.byteLength(violation.field) + Buffer.byteLength(violation.description);
    if (bytes > MAX_VIOLATIONS_BYTES) break;
    first.push(violation);
  }
  return first;
}

/** At most so many bytes of UTF-8, "…" included, and well-formed: grpc-js cannot encode half a surrogate pair. */
function cutText(text: string, maxBytes: number): string {
  const wellFormed = text.toWellFormed();
  if (Buffer.byteLength(wellFormed) <= maxBytes) return wellFormed;
  const bytes = Buffer.from(wellFormed).subarray(0, maxBytes - Buffer.byteLength("…"));
  // With `stream`, the decoder leaves out a character that the cut went through.
  return `${new TextDecoder().decode(bytes, { stream: true })}…`;
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
