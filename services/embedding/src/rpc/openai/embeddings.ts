import { once } from "node:events";
import type { IncomingMessage, ServerResponse } from "node:http";
import { setImmediate } from "node:timers/promises";
import { text } from "node:stream/consumers";
import { packVectors } from "@kindred/rpc";
import type { Embeddings, EmbedOptions } from "../../domain/embedder.ts";
import type { ServedModel } from "../../domain/served-model.ts";
import { shortenVectors } from "../../domain/shorten-vectors.ts";
import { openCall, type CallDeps } from "../deps.ts";
import { MAX_TEXTS } from "../validate-texts.ts";
import { readEmbeddingsRequest, type EmbeddingsInput, type EmbeddingsRequest } from "./embeddings-request.ts";
import { BadRequest } from "./errors.ts";

/** The API has no priorities. Whoever waits for an answer asks for one text or a few; more are documents on their way to an index. */
const MOST_INTERACTIVE_TEXTS = 16;
/** How long writing numbers may hold the thread before it lets others run. */
const SLICE_MS = 2;
/** Digits that tell every float32 from its neighbours. */
const FLOAT32_DIGITS = 9;

async function readBody(request: IncomingMessage, maxBytes: number): Promise<unknown> {
  const tooLarge = () => new BadRequest(`the body must be at most ${maxBytes} bytes`, null, 413);
  if (Number(request.headers["content-length"] ?? 0) > maxBytes) throw tooLarge();
  let bytes = 0;
  const limited = async function* () {
    for await (const chunk of request) {
      bytes += (chunk as Buffer).length;
      if (bytes > maxBytes) throw tooLarge();
      yield chunk as Buffer;
    }
  };
  const body = await text(limited());
  try {
    return JSON.parse(body);
  } catch {
    throw new BadRequest("the body is not JSON");
  }
}

function embedInput(served: ServedModel, input: EmbeddingsInput, signal: AbortSignal): Promise<Embeddings> {
  const count = "texts" in input ? input.texts.length : input.tokens.length;
  const options: EmbedOptions = { priority: count > MOST_INTERACTIVE_TEXTS ? "bulk" : "interactive", signal };
  if ("texts" in input) return served.embedder.embed(input.texts, options);
  const { tokens } = served;
  if (tokens === undefined) throw new BadRequest("this model takes texts only, no token ids", "input");
  if (input.tokens.length > MAX_TEXTS) {
    throw new BadRequest(`input must have at most ${MAX_TEXTS} entries, has ${input.tokens.length}`, "input");
  }
  for (const [i, ids] of input.tokens.entries()) {
    const unknown = ids.find((id) => id >= tokens.vocabulary);
    if (unknown !== undefined) {
      const problem = `has the token id ${unknown}, and the model's vocabulary ends at ${tokens.vocabulary - 1}`;
      throw new BadRequest(`input[${i}] ${problem}`, "input");
    }
  }
  return tokens.embedTokens(input.tokens, options);
}

function checkDimensions({ dimensions }: EmbeddingsRequest, { embedder, shortenable }: ServedModel): number {
  const full = embedder.space.dimensions;
  if (dimensions === undefined || dimensions === full) return full;
  if (shortenable && dimensions < full) return dimensions;
  const allowed = shortenable ? `1 to ${full}` : `${full}`;
  throw new BadRequest(`dimensions must be ${allowed} with this model, is ${dimensions}`, "dimensions");
}

/** The vectors of `data`, one JSON object each. */
function* dataOf(vectors: Float32Array, dimensions: number, encoding: "float" | "base64"): Generator<string> {
  for (let index = 0; index * dimensions < vectors.length; index++) {
    const row = vectors.subarray(index * dimensions, (index + 1) * dimensions);
    const embedding =
      encoding === "base64"
        ? `"${Buffer.from(packVectors(row)).toString("base64")}"`
        : `[${Array.from(row, (value) => Number(value.toPrecision(FLOAT32_DIGITS))).join(",")}]`;
    yield `{"object":"embedding","index":${index},"embedding":${embedding}}`;
  }
}

/** Writes the answer as fast as the client takes it, letting other work of the thread run every few milliseconds. */
async function writeAnswer(
  response: ServerResponse,
  answer: { data: Iterable<string>; model: string; totalTokens: number },
  signal: AbortSignal,
): Promise<void> {
  response.writeHead(200, { "content-type": "application/json" });
  response.write(`{"object":"list","data":[`);
  let sliceEnd = performance.now() + SLICE_MS;
  let separator = "";
  for (const item of answer.data) {
    if (!response.write(separator + item)) await once(response, "drain", { signal });
    separator = ",";
    if (performance.now() < sliceEnd) continue;
    await setImmediate();
    signal.throwIfAborted();
    sliceEnd = performance.now() + SLICE_MS;
  }
  const usage = { prompt_tokens: answer.totalTokens, total_tokens: answer.totalTokens };
  response.end(`],"model":${JSON.stringify(answer.model)},"usage":${JSON.stringify(usage)}}`);
}

/** POST /v1/embeddings. Throws before anything is written, or never. */
export async function createEmbeddings(
  deps: CallDeps,
  request: IncomingMessage,
  response: ServerResponse,
  options: { maxBodyBytes: number; signal: AbortSignal },
): Promise<void> {
  const { signal } = options;
  const asked = readEmbeddingsRequest(await readBody(request, options.maxBodyBytes));
  using call = await openCall(deps, { model: asked.model, expectedSpaceId: "" }, signal);
  const dimensions = checkDimensions(asked, call.served);
  const { vectors, totalTokens } = await embedInput(call.served, asked.input, signal);
  const full = call.served.embedder.space.dimensions;
  const wanted = dimensions === full ? vectors : shortenVectors(vectors, full, dimensions);
  const data = dataOf(wanted, dimensions, asked.encoding);
  await writeAnswer(response, { data, model: call.name, totalTokens }, signal);
}
