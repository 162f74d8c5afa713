import { messageOf } from "@kindred/errors";
import { APIConnectionTimeoutError, APIError } from "openai";
import { ProviderFailure, type ProviderFailureKind } from "../../domain/remote/provider.ts";
import { reportedLimits, retryAfterMs } from "./rate-headers.ts";

const MAX_MESSAGE = 300;
/** What OpenAI says when waiting does not help. */
const USED_UP = new Set(["insufficient_quota", "billing_hard_limit_reached"]);

/** An error of the SDK, of fetch below it, or of the parser, as a failure of the provider. */
export function translateFailure(
  error: unknown,
  context: { apiKey: string | undefined; timeoutMs: number; timedOut: boolean },
): ProviderFailure {
  const { apiKey, timeoutMs, timedOut } = context;
  if (timedOut || error instanceof APIConnectionTimeoutError)
    return new ProviderFailure("timeout", `no answer within ${timeoutMs} ms`);
  if (error instanceof APIError && error.status !== undefined) {
    const headers = error.headers ?? new Headers();
    return new ProviderFailure(kindOf(error), shorten(providerMessage(error), apiKey), {
      status: error.status,
      retryAfterMs: retryAfterMs(headers, Date.now()),
      param: error.param ?? undefined,
      limits: reportedLimits(headers),
    });
  }
  const message = shorten(innermostMessage(error), apiKey);
  // Only what was received whole is parsed: fetch throws a TypeError when the connection breaks off.
  if (error instanceof SyntaxError) return new ProviderFailure("bad-answer", `it is no JSON: ${message}`);
  return new ProviderFailure("connection", message);
}

function kindOf({ status, code, type }: APIError): ProviderFailureKind {
  if (status === 402 || (status === 429 && (USED_UP.has(code ?? "") || USED_UP.has(type ?? ""))))
    return "quota";
  if (status === 429) return "rate-limited";
  if (status === 408) return "timeout";
  return (status ?? 0) >= 500 ? "server" : "refused";
}

/** Without the status that the SDK puts before it, and of a proxy's page its title only. */
function providerMessage(error: APIError): string {
  const text = error.message.replace(/^\d{3} /, "");
  if (!/<html|<!doctype/i.test(text)) return text;
  const title = /<title[^>]*>([^<]*)<\/title>/i.exec(text)?.[1];
  return `an HTML page${title === undefined ? "" : ` titled ${JSON.stringify(title.trim())}`}, status ${error.status}`;
}

/** "fetch failed" and "Connection error." say little; what caused them says which address and why. */
function innermostMessage(error: unknown): string {
  let innermost = error;
  for (let depth = 0; depth < 5 && Error.isError(innermost) && innermost.cause !== undefined; depth++)
    innermost = innermost.cause;
  // Where several addresses were tried, the message is empty.
  if (innermost instanceof AggregateError && innermost.errors.length > 0)
    return messageOf(innermost.errors[0]);
  return messageOf(innermost);
}

/** One line of bounded length, in which neither the key stands nor what OpenAI leaves of one ("sk-ab***yz"). */
function shorten(message: string, apiKey: string | undefined): string {
  const withoutKey = apiKey === undefined ? message : message.replaceAll(apiKey, "[key]");
  const line = withoutKey
    .replaceAll(/\S*\*{3,}\S*/g, "[key]")
    .replaceAll(/\s+/g, " ")
    .trim();
  return line.length <= MAX_MESSAGE ? line : `${line.slice(0, MAX_MESSAGE)}…`;
}
