/** What went wrong, in terms that hold on every transport. libs/rpc maps each kind to a gRPC code. */
export type ErrorKind =
  | "invalid-argument"
  | "not-found"
  | "already-exists"
  | "failed-precondition"
  | "aborted"
  | "resource-exhausted"
  | "unavailable"
  | "deadline-exceeded"
  | "cancelled"
  | "unimplemented"
  | "data-loss"
  | "internal";

/** One bad field of a request. `field` is its path in the message, e.g. `images[3].width`. */
export interface FieldViolation {
  field: string;
  /** What is wrong and what would be right, e.g. "must be 1 to 1000, is 0". */
  description: string;
}

export interface KindredErrorOptions {
  cause?: unknown;
  /** Bad fields, all of them at once. */
  violations?: readonly FieldViolation[];
  /** When trying again makes sense: after this many milliseconds. */
  retryAfterMs?: number;
  /** Machine-readable facts for the caller, e.g. `{ batches_stored: "12" }`. */
  metadata?: Readonly<Record<string, string>>;
}

/**
 * An error that the caller may see: its message travels to the client as it is.
 * Any other error is logged where it surfaces and reaches the client as "internal", without its message.
 */
export class KindredError extends Error {
  override readonly name = "KindredError";
  readonly kind: ErrorKind;
  readonly violations: readonly FieldViolation[];
  readonly retryAfterMs: number | undefined;
  readonly metadata: Readonly<Record<string, string>>;

  constructor(kind: ErrorKind, message: string, options: KindredErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.kind = kind;
    this.violations = options.violations ?? [];
    this.retryAfterMs = options.retryAfterMs;
    this.metadata = options.metadata ?? {};
  }
}

/** Guards by shape and not by class, so that an error from a second copy of this module counts too. */
export function isKindredError(error: unknown): error is KindredError {
  return Error.isError(error) && error.name === "KindredError" && "kind" in error && "violations" in error;
}

/** An invalid-argument error whose message lists every violation. */
export function invalidFields(violations: readonly FieldViolation[]): KindredError {
  const message = violations.map((v) => `${v.field} ${v.description}`).join("; ");
  return new KindredError("invalid-argument", message, { violations });
}

/** An invalid-argument error about one field: message "<field> <description>". */
export function invalidField(field: string, description: string): KindredError {
  return invalidFields([{ field, description }]);
}

/** The text of anything thrown, for logs and for terminals. */
export function messageOf(error: unknown): string {
  return Error.isError(error) ? error.message : String(error);
}
