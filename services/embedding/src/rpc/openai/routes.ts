import type { IncomingMessage, ServerResponse } from "node:http";
import type { ModelOverview } from "../../domain/model-registry.ts";
import type { CallDeps } from "../deps.ts";
import { createEmbeddings } from "./embeddings.ts";
import { toOpenAiError, type OpenAiError } from "./errors.ts";

type Handler = (request: IncomingMessage, response: ServerResponse) => void;

export interface OpenAiOptions {
  /** Largest body of a request, in bytes. */
  readonly maxBodyBytes: number;
  /** Hears of errors that nobody declared. */
  readonly onFault: (error: unknown) => void;
}

function sendJson(
  response: ServerResponse,
  status: number,
  body: object,
  headers: Readonly<Record<string, string>> = {},
): void {
  response.writeHead(status, { "content-type": "application/json", ...headers });
  response.end(JSON.stringify(body));
}

function sendError(response: ServerResponse, { status, headers, body }: OpenAiError): void {
  // The rest of the request may still be on its way: the connection cannot be used again.
  if (!response.req.complete) response.setHeader("connection", "close");
  sendJson(response, status, body, headers);
}

function modelObject({ name, provider }: ModelOverview, id: string = name) {
  return { id, object: "model", created: 0, owned_by: provider };
}

/**
 * OpenAI's embeddings API over the same models, for clients that exist already: POST /v1/embeddings, GET /v1/models and
 * GET /v1/models/{name}. Keys that clients send are not looked at.
 */
export function openAiRoutes(deps: CallDeps, options: OpenAiOptions): Readonly<Record<string, Handler>> {
  const { registry } = deps;
  const embeddings: Handler = (request, response) => {
    const gone = new AbortController();
    response.once("close", () => gone.abort(new Error("the caller went away")));
    createEmbeddings(deps, request, response, {
      maxBodyBytes: options.maxBodyBytes,
      signal: gone.signal,
    }).catch((error: unknown) => {
      if (gone.signal.aborted) return;
      if (response.headersSent) response.destroy();
      else sendError(response, toOpenAiError(error, options.onFault));
    });
  };
  const models = registry.list();
  const single = models.flatMap(({ name, aliases }) =>
    [name, ...aliases].flatMap((id): [string, Handler][] => {
      const handler: Handler = (_request, response) =>
        sendJson(response, 200, modelObject(registry.overview(id), id));
      // Clients encode the slash of "owner/name"; people who type an address do not.
      return [...new Set([id, encodeURIComponent(id)])].map((path) => [`GET /v1/models/${path}`, handler]);
    }),
  );
  return {
    "POST /v1/embeddings": embeddings,
    "GET /v1/models": (_request, response) =>
      sendJson(response, 200, { object: "list", data: registry.list().map((model) => modelObject(model)) }),
    ...Object.fromEntries(single),
  };
}
