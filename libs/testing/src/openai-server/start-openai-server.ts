import { once } from "node:events";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { json } from "node:stream/consumers";
import {
  answerOf,
  parseRequest,
  RequestError,
  rowsOf,
  type ParsedRequest,
  type ProtocolLimits,
  type ServedModel,
} from "./embeddings-protocol.ts";
import { playFault, sendJson, type Fault } from "./faults.ts";
import { vectorOf } from "./vectors.ts";

export interface OpenAiServerOptions extends Partial<ProtocolLimits> {
  /** Requests need it as their Bearer token; without it every request is welcome. */
  readonly apiKey?: string;
  /** By default "test-embedding" with 8 dimensions, which may be cut. */
  readonly models?: Readonly<Record<string, ServedModel>>;
  /** What goes wrong with a request when the queue of faults is empty. */
  readonly fault?: (request: EmbeddingsRequest) => Fault | undefined;
}

/** A POST to /v1/embeddings, whether it was answered or not. */
export interface EmbeddingsRequest {
  /** Counted from 0. */
  readonly number: number;
  readonly body: Readonly<Record<string, unknown>>;
  /** What was to be embedded; empty when the request was bad. */
  readonly texts: readonly string[];
  /** The client went away before its answer was complete. */
  readonly aborted: boolean;
  /** Status of the reply; undefined until there is one, and when the connection was reset. */
  readonly status: number | undefined;
}

export interface OpenAiServer extends AsyncDisposable {
  /** http://127.0.0.1:port/v1 */
  readonly baseUrl: string;
  /** In the order in which they came, those that were refused included. */
  readonly requests: readonly EmbeddingsRequest[];
  /** Tokens of all requests that were answered with vectors. */
  readonly tokens: number;
  /** Most requests that were in progress at the same time. */
  readonly mostConcurrent: number;
  /** One for each of the next requests, in order. */
  inject(...faults: Fault[]): void;
  /** The vector that a text is answered with. */
  vectorOf(text: string, options?: { model?: string; dimensions?: number }): Float32Array;
}

const DEFAULT_MODEL = "test-embedding";

/**
 * A server on 127.0.0.1 that speaks OpenAI's embeddings protocol (POST /v1/embeddings, GET /v1/models), with vectors that follow from
 * the texts, and with faults on request.
 */
export async function startOpenAiServer(options: OpenAiServerOptions = {}): Promise<OpenAiServer> {
  const { apiKey, models = { [DEFAULT_MODEL]: { dimensions: 8, matryoshka: true } } } = options;
  const limits: ProtocolLimits = {
    maxTexts: options.maxTexts ?? 2048,
    maxTokensPerText: options.maxTokensPerText ?? 8192,
    maxTokensPerRequest: options.maxTokensPerRequest ?? 300_000,
  };
  const requests: { -readonly [K in keyof EmbeddingsRequest]: EmbeddingsRequest[K] }[] = [];
  const faults: Fault[] = [];
  let tokens = 0;
  let inProgress = 0;
  let mostConcurrent = 0;

  const embed = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const body = (await json(request).catch(() => undefined)) as Record<string, unknown> | undefined;
    let parsed: ParsedRequest | RequestError;
    try {
      parsed = parseRequest(body, models, limits);
    } catch (error) {
      if (!(error instanceof RequestError)) throw error;
      parsed = error;
    }
    const record = {
      number: requests.length,
      body: body ?? {},
      texts: parsed instanceof RequestError ? [] : parsed.texts,
      aborted: false,
      status: undefined as number | undefined,
    };
    requests.push(record);
    mostConcurrent = Math.max(mostConcurrent, ++inProgress);
    response.once("close", () => {
      inProgress--;
      record.aborted = !response.writableFinished;
      if (response.writableFinished) record.status = response.statusCode;
    });

    const fault = faults.shift() ?? options.fault?.(record) ?? { kind: "none" };
    const answer = (): string => {
      if (parsed instanceof RequestError) throw parsed;
      const rows = rowsOf(parsed, models[parsed.model] as ServedModel);
      const sent = fault.kind === "rows" ? fault.change(rows) : rows;
      return JSON.stringify(answerOf(parsed, sent, fault.kind !== "no-usage"));
    };
    if (await playFault(fault, response, answer)) return;
    const text = answer();
    if (response.destroyed) return;
    if (!(parsed instanceof RequestError)) tokens += parsed.tokens;
    response.writeHead(200, {
      "content-type": "application/json",
      ...(fault.kind === "headers" ? fault.headers : undefined),
    });
    response.end(text);
  };

  const listModels = (response: ServerResponse): void => {
    const data = Object.keys(models).map((id) => ({ id, object: "model", created: 0, owned_by: "test" }));
    sendJson(response, 200, { object: "list", data });
  };

  const handle = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    if (apiKey !== undefined && request.headers.authorization !== `Bearer ${apiKey}`)
      throw new RequestError(401, "Incorrect API key provided", null, "invalid_api_key");
    const route = `${request.method} ${request.url}`;
    if (route === "POST /v1/embeddings") await embed(request, response);
    else if (route === "GET /v1/models") listModels(response);
    else throw new RequestError(404, `Invalid URL (${route})`);
  };

  const server = createServer((request, response) => {
    handle(request, response).catch((error: unknown) => {
      const { status, message, param, code } =
        error instanceof RequestError ? error : new RequestError(500, String(error));
      sendJson(response, status, { error: { message, type: "invalid_request_error", param, code } });
    });
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;

  return {
    baseUrl: `http://127.0.0.1:${port}/v1`,
    requests,
    get tokens() {
      return tokens;
    },
    get mostConcurrent() {
      return mostConcurrent;
    },
    inject: (...more) => void faults.push(...more),
    vectorOf: (text, { model = Object.keys(models)[0] ?? DEFAULT_MODEL, dimensions } = {}) =>
      vectorOf(text, models[model]?.dimensions ?? 0, dimensions),
    [Symbol.asyncDispose]: async () => {
      server.close();
      server.closeAllConnections();
      await once(server, "close");
    },
  };
}
