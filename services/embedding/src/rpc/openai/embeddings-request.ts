import { isKindredError } from "@kindred/errors";
import { validateTexts } from "../validate-texts.ts";
import { BadRequest } from "./errors.ts";

export type EmbeddingsInput =
  { readonly texts: readonly string[] } | { readonly tokens: readonly (readonly number[])[] };

/** The body of POST /v1/embeddings. */
export interface EmbeddingsRequest {
  readonly input: EmbeddingsInput;
  /** "" is the default model. */
  readonly model: string;
  readonly encoding: "float" | "base64";
  readonly dimensions: number | undefined;
}

const INPUT = "a text, a list of texts, a list of token ids, or a list of such lists";

const isText = (value: unknown): value is string => typeof value === "string";
const isToken = (value: unknown): value is number => Number.isSafeInteger(value) && (value as number) >= 0;
const isTokens = (value: unknown): value is readonly number[] =>
  Array.isArray(value) && value.length > 0 && value.every(isToken);

function readInput(input: unknown): EmbeddingsInput {
  if (input === undefined) throw new BadRequest(`input is missing: give ${INPUT}`, "input");
  if (isText(input)) return { texts: [input] };
  if (!Array.isArray(input)) throw new BadRequest(`input must be ${INPUT}`, "input");
  const list: readonly unknown[] = input;
  if (list.length === 0) throw new BadRequest("input must not be empty", "input");
  if (list.every(isText)) return { texts: list };
  if (isTokens(list)) return { tokens: [list] };
  if (list.every(isTokens)) return { tokens: list };
  throw new BadRequest(`input must be ${INPUT}, all of one kind and none empty`, "input");
}

/** The names of texts in the RPC's request are not those of this one. */
function checkTexts(texts: readonly string[]): void {
  try {
    validateTexts(texts);
  } catch (error) {
    if (!isKindredError(error)) throw error;
    throw new BadRequest(error.message.replaceAll(/\btexts\b/g, "input"), "input");
  }
}

/** @throws BadRequest naming the parameter. */
export function readEmbeddingsRequest(body: unknown): EmbeddingsRequest {
  if (typeof body !== "object" || body === null || Array.isArray(body)) {
    throw new BadRequest("the body must be a JSON object");
  }
  const {
    input,
    model = "",
    encoding_format: encoding = "float",
    dimensions,
  } = body as Record<string, unknown>;
  if (!isText(model)) throw new BadRequest("model must be a text", "model");
  if (encoding !== "float" && encoding !== "base64") {
    throw new BadRequest('encoding_format must be "float" or "base64"', "encoding_format");
  }
  if (dimensions !== undefined && (!Number.isSafeInteger(dimensions) || (dimensions as number) < 1)) {
    throw new BadRequest("dimensions must be an integer of at least 1", "dimensions");
  }
  const read = readInput(input);
  if ("texts" in read) checkTexts(read.texts);
  return { input: read, model, encoding, dimensions: dimensions as number | undefined };
}
