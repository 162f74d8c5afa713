import { isKindredError, type ErrorKind } from "@kindred/errors";

/** An error as OpenAI's API gives it. */
export interface OpenAiError {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: {
    readonly error: {
      readonly message: string;
      readonly type: string;
      readonly param: string | null;
      readonly code: string | null;
    };
  };
}

/** A request that OpenAI's API would refuse as well. */
export class BadRequest extends Error {
  override readonly name = "BadRequest";
  readonly status: number;
  readonly param: string | null;
  constructor(message: string, param: string | null = null, status: number = 400) {
    super(message);
    this.status = status;
    this.param = param;
  }
}

interface Shape {
  readonly status: number;
  readonly type: string;
  readonly code: string | null;
}

/** Types and codes are those that OpenAI's clients look at. */
const SHAPES: Record<ErrorKind, Shape> = {
  "invalid-argument": { status: 400, type: "invalid_request_error", code: null },
  "not-found": { status: 404, type: "invalid_request_error", code: "model_not_found" },
  "already-exists": { status: 409, type: "invalid_request_error", code: null },
  "failed-precondition": { status: 400, type: "invalid_request_error", code: null },
  aborted: { status: 409, type: "server_error", code: null },
  "resource-exhausted": { status: 429, type: "rate_limit_error", code: "rate_limit_exceeded" },
  unavailable: { status: 503, type: "server_error", code: "service_unavailable" },
  "deadline-exceeded": { status: 504, type: "server_error", code: "timeout" },
  cancelled: { status: 499, type: "server_error", code: "cancelled" },
  unimplemented: { status: 400, type: "invalid_request_error", code: null },
  "data-loss": { status: 500, type: "server_error", code: null },
  internal: { status: 500, type: "server_error", code: null },
};

function errorOf(
  { status, type, code }: Shape,
  message: string,
  param: string | null,
  headers: Readonly<Record<string, string>> = {},
): OpenAiError {
  return { status, headers, body: { error: { message, type, param, code } } };
}

/** @param onFault hears of errors that nobody declared; the client is not told what they say. */
export function toOpenAiError(error: unknown, onFault: (error: unknown) => void): OpenAiError {
  if (error instanceof BadRequest) {
    return errorOf(
      { status: error.status, type: "invalid_request_error", code: null },
      error.message,
      error.param,
    );
  }
  if (!isKindredError(error)) {
    onFault(error);
    return errorOf(SHAPES.internal, "internal error", null);
  }
  const param = error.kind === "not-found" ? "model" : (error.violations[0]?.field ?? null);
  // Seconds for everybody, milliseconds for OpenAI's own clients.
  const headers: Record<string, string> =
    error.retryAfterMs === undefined
      ? {}
      : {
          "retry-after": String(Math.ceil(error.retryAfterMs / 1000)),
          "retry-after-ms": String(Math.ceil(error.retryAfterMs)),
        };
  return errorOf(SHAPES[error.kind], error.message, param, headers);
}
