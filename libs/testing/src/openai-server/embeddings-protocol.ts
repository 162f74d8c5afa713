import { countTokens, vectorOf } from "./vectors.ts";
import type { AnswerRow } from "./faults.ts";

export interface ServedModel {
  readonly dimensions: number;
  /** Takes `dimensions` in a request; as in OpenAI's API the older models do not. */
  readonly matryoshka?: boolean;
}

export interface ProtocolLimits {
  readonly maxTexts: number;
  readonly maxTokensPerText: number;
  readonly maxTokensPerRequest: number;
}

/** What OpenAI answers a bad request with. */
export class RequestError extends Error {
  readonly status: number;
  readonly param: string | null;
  readonly code: string | null;

  constructor(status: number, message: string, param: string | null = null, code: string | null = null) {
    super(message);
    this.status = status;
    this.param = param;
    this.code = code;
  }
}

/** A request that was read, and what it costs. */
export interface ParsedRequest {
  readonly model: string;
  /** Token arrays stand here as "<id> <id> …". */
  readonly texts: readonly string[];
  readonly dimensions: number;
  readonly encoding: "float" | "base64";
  readonly tokens: number;
}

/** @throws RequestError as OpenAI refuses it. */
export function parseRequest(
  body: unknown,
  models: Readonly<Record<string, ServedModel>>,
  limits: ProtocolLimits,
): ParsedRequest {
  if (typeof body !== "object" || body === null) throw new RequestError(400, "the body is no JSON object");
  const { model, input, dimensions, encoding_format: encoding = "float" } = body as Record<string, unknown>;
  const served = typeof model === "string" ? models[model] : undefined;
  if (served === undefined || typeof model !== "string")
    throw new RequestError(404, `The model \`${String(model)}\` does not exist`, null, "model_not_found");
  if (encoding !== "float" && encoding !== "base64")
    throw new RequestError(400, `Invalid encoding_format: ${String(encoding)}`, "encoding_format");
  const inputs = readInput(input);
  if (inputs.length === 0 || inputs.length > limits.maxTexts)
    throw new RequestError(400, `Invalid 'input': must have 1 to ${limits.maxTexts} items`, "input");
  for (const [i, { text, tokens }] of inputs.entries()) {
    if (text === "") throw new RequestError(400, "Invalid 'input': must not be an empty string", "input");
    if (tokens > limits.maxTokensPerText) {
      throw new RequestError(
        400,
        `Invalid 'input[${i}]': maximum context length is ${limits.maxTokensPerText} tokens, it has ${tokens}`,
        "input",
      );
    }
  }
  const tokens = inputs.reduce((sum, item) => sum + item.tokens, 0);
  if (tokens > limits.maxTokensPerRequest) {
    throw new RequestError(
      400,
      `Requested ${tokens} tokens, max ${limits.maxTokensPerRequest} tokens per request`,
      "input",
      "max_tokens_per_request",
    );
  }
  return {
    model,
    texts: inputs.map(({ text }) => text),
    dimensions: readDimensions(dimensions, served),
    encoding,
    tokens,
  };
}

function readDimensions(dimensions: unknown, served: ServedModel): number {
  if (dimensions === undefined || dimensions === null) return served.dimensions;
  if (served.matryoshka !== true)
    throw new RequestError(400, "This model does not support specifying dimensions.", "dimensions");
  if (
    !Number.isInteger(dimensions) ||
    (dimensions as number) < 1 ||
    (dimensions as number) > served.dimensions
  )
    throw new RequestError(400, `Invalid 'dimensions': 1 to ${served.dimensions}`, "dimensions");
  return dimensions as number;
}

interface InputItem {
  readonly text: string;
  readonly tokens: number;
}

/** A text, several, one token array, or several of those. */
function readInput(input: unknown): InputItem[] {
  const ofText = (text: string): InputItem => ({ text, tokens: countTokens(text) });
  const ofTokens = (ids: readonly number[]): InputItem => ({ text: ids.join(" "), tokens: ids.length });
  if (typeof input === "string") return [ofText(input)];
  if (Array.isArray(input)) {
    if (input.every((item) => typeof item === "string")) return input.map(ofText);
    if (isTokens(input)) return [ofTokens(input)];
    if (input.every(isTokens)) return input.map(ofTokens);
  }
  throw new RequestError(400, "Invalid 'input': a string, strings, tokens or token arrays", "input");
}

function isTokens(value: unknown): value is number[] {
  return Array.isArray(value) && value.length > 0 && value.every((id) => Number.isInteger(id) && id >= 0);
}

/** The right vectors, in order. */
export function rowsOf(request: ParsedRequest, served: ServedModel): AnswerRow[] {
  return request.texts.map((text, index) => ({
    index,
    values: [...vectorOf(text, served.dimensions, request.dimensions)],
  }));
}

/** An answer in OpenAI's shape. */
export function answerOf(request: ParsedRequest, rows: readonly AnswerRow[], withUsage: boolean): unknown {
  const usage = { prompt_tokens: request.tokens, total_tokens: request.tokens };
  return {
    object: "list",
    data: rows.map(({ index, values }) => ({
      object: "embedding",
      ...(index === undefined ? undefined : { index }),
      embedding:
        request.encoding === "base64"
          ? Buffer.from(Float32Array.from(values).buffer).toString("base64")
          : values,
    })),
    model: request.model,
    ...(withUsage ? { usage } : undefined),
  };
}
