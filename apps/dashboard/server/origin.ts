import { existsSync } from "node:fs";
import { join } from "node:path";
import staticFiles from "@fastify/static";
import type { Logger } from "@kindred/telemetry";
import { fastify, type FastifyInstance } from "fastify";
import type { OriginConfig } from "./config.ts";
import { passOn } from "./pass-on.ts";
import { upstreams, type Upstream } from "./upstreams.ts";

const HEALTH_TIMEOUT_MS = 1000;
const YEAR_SECONDS = 365 * 24 * 3600;

/** The page loads nothing from elsewhere, and nobody frames it. */
const CONTENT_SECURITY_POLICY = [
  "default-src 'self'",
  "img-src 'self' data:",
  "object-src 'none'",
  "base-uri 'none'",
  "form-action 'self'",
  "frame-ancestors 'none'",
].join("; ");

/**
 * The one HTTP origin that browsers and the command line speak to: it passes Connect calls on by the service in their path, and serves
 * the pictures and the page. It does not listen yet.
 */
export async function createOrigin(config: OriginConfig, deps: { logger: Logger }): Promise<FastifyInstance> {
  const origin = fastify({
    // A call is as large as the service behind it allows.
    bodyLimit: 2 ** 30,
    // A stream lasts as long as it lasts.
    requestTimeout: 0,
    forceCloseConnections: "idle",
    return503OnClosing: true,
    routerOptions: { ignoreTrailingSlash: false },
  });
  origin.addHook("onSend", async (_request, reply) => {
    reply.header("x-content-type-options", "nosniff");
    reply.header("referrer-policy", "same-origin");
    reply.header("content-security-policy", CONTENT_SECURITY_POLICY);
  });
  const known = upstreams(config);
  for (const upstream of known) await passOn(origin, upstream, deps.logger);
  origin.get("/healthz", async () => ({ status: "SERVING" }));
  origin.get("/readyz", async (_request, reply) => {
    const services = await readiness(known);
    const ready = Object.values(services).every((state) => state === "SERVING");
    return reply
      .code(ready ? 200 : 503)
      .header("cache-control", "no-store")
      .send({ services });
  });
  if (config.MEDIA_ROOT !== undefined) {
    await origin.register(staticFiles, {
      root: config.MEDIA_ROOT,
      prefix: "/media/",
      index: false,
      dotfiles: "deny",
      maxAge: "1h",
    });
  }
  await servePage(origin, config, { decorateReply: config.MEDIA_ROOT === undefined });
  return origin;
}

type State = "SERVING" | "NOT_SERVING" | "UNREACHABLE";

async function readiness(known: readonly Upstream[]): Promise<Record<string, State>> {
  const states = await Promise.all(known.map(async ({ name, url }) => [name, await stateOf(url)] as const));
  return Object.fromEntries(states);
}

async function stateOf(url: string): Promise<State> {
  try {
    const response = await fetch(`${url}/healthz`, { signal: AbortSignal.timeout(HEALTH_TIMEOUT_MS) });
    await response.body?.cancel();
    return response.ok ? "SERVING" : "NOT_SERVING";
  } catch {
    return "UNREACHABLE";
  }
}

async function servePage(
  origin: FastifyInstance,
  config: OriginConfig,
  options: { decorateReply: boolean },
): Promise<void> {
  const index = join(config.DASHBOARD_DIST, "index.html");
  const built = existsSync(index);
  if (built) {
    await origin.register(staticFiles, {
      ...options,
      root: config.DASHBOARD_DIST,
      wildcard: false,
      cacheControl: false,
      setHeaders: (response, path) => {
        // Names of assets change with their content; the page itself is asked for each time.
        const forever = path.includes("/assets/");
        response.header("cache-control", forever ? `public, max-age=${YEAR_SECONDS}, immutable` : "no-cache");
      },
    });
  }
  origin.setNotFoundHandler((request, reply) => {
    const { pathname } = new URL(request.url, "http://origin");
    if (pathname.startsWith("/kindred.")) {
      return reply.code(404).send({ code: "unimplemented", message: `nobody here answers ${pathname}` });
    }
    const wantsPage = request.method === "GET" && (request.headers.accept ?? "").includes("text/html");
    if (!wantsPage || pathname.startsWith("/media/")) return reply.code(404).send({ error: "not found" });
    if (built)
      return reply
        .type("text/html")
        .header("cache-control", "no-cache")
        .sendFile("index.html", config.DASHBOARD_DIST, { cacheControl: false });
    return reply
      .code(503)
      .type("text/plain")
      .send("The page is not built yet. Build it with: npm run build -w @kindred/dashboard\n");
  });
}
