import { AsyncLocalStorage } from "node:async_hooks";
import proxy from "@fastify/http-proxy";
import type { Logger } from "@kindred/telemetry";
import type { FastifyInstance, FastifyReply } from "fastify";
import { Agent, type Dispatcher } from "undici";
import type { Upstream } from "./upstreams.ts";

/** Aborted when the caller whose call is being passed on goes away. */
const callerGone = new AsyncLocalStorage<AbortSignal>();

/** Passes calls on as they are, both ways as streams. A caller that goes away ends its call at the service too. */
export async function passOn(origin: FastifyInstance, upstream: Upstream, logger: Logger): Promise<void> {
  // An import answers when its last batch is stored: only the caller's own deadline ends it.
  const agent = new Agent({ bodyTimeout: 0, headersTimeout: 0, connections: 128 });
  origin.addHook("onClose", () => agent.destroy());
  for (const prefix of upstream.prefixes) {
    await origin.register(proxy, {
      upstream: upstream.url,
      prefix,
      rewritePrefix: prefix,
      httpMethods: ["GET", "POST", "OPTIONS"],
      undici: { request: requestForCaller(agent) },
      handler: (_request, reply, target, options) =>
        callerGone.run(goneSignal(reply), () => reply.from(target, options)),
      replyOptions: {
        // Node has answered `Expect: 100-continue`, by which curl announces large bodies; undici refuses to ask for it again.
        rewriteRequestHeaders: (_request, { expect: _answered, ...headers }) => headers,
        onError: (reply, { error }) => {
          if (reply.raw.destroyed) return;
          logger.warn({ err: error, service: upstream.name }, "a call could not be passed on");
          // As Connect writes errors, so that its clients know what it is.
          reply
            .code(503)
            .type("application/json")
            .send({ code: "unavailable", message: `the ${upstream.name} service cannot be reached` });
        },
      },
    });
  }
}

/** The proxy ends a request to the service while a body is on its way, but not while it waits for the reply to begin. */
function requestForCaller(agent: Agent): Dispatcher["request"] {
  type Data = Dispatcher.ResponseData;
  type Callback = (error: Error | null, data: Data) => void;
  function request(options: Dispatcher.RequestOptions): Promise<Data>;
  function request(options: Dispatcher.RequestOptions, callback: Callback): void;
  function request(options: Dispatcher.RequestOptions, callback?: Callback): Promise<Data> | void {
    const signal = callerGone.getStore();
    const whole = signal ? { ...options, signal } : options;
    return callback ? agent.request(whole, callback) : agent.request(whole);
  }
  return request as Dispatcher["request"];
}

function goneSignal(reply: FastifyReply): AbortSignal {
  const gone = new AbortController();
  // Also emitted after a whole reply, when there is nothing left to abort.
  reply.raw.once("close", () => gone.abort());
  return gone.signal;
}
