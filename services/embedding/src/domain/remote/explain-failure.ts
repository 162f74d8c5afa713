import { invalidFields, isKindredError, KindredError, type ErrorKind } from "@kindred/errors";
import type { RemoteModelSpec } from "./presets.ts";
import { ProviderFailure } from "./provider.ts";
import { mostTokens } from "./token-estimate.ts";

/** The request that failed, in terms of the call that it was a part of. */
export interface FailedPart {
  readonly texts: readonly string[];
  /** Where each of them stands first in the call. */
  readonly positions: readonly number[];
}

/** How far the call came. */
export interface CallProgress {
  /** Texts that have their vectors, and will not be charged again when the call is repeated soon. */
  readonly embedded: number;
  readonly total: number;
}

/**
 * What a caller has to know of a request that failed for good. What is no failure of the provider is returned as it is, save
 * that a KindredError also tells how far the call came.
 */
export function explainFailure(
  failure: unknown,
  part: FailedPart,
  progress: CallProgress,
  spec: RemoteModelSpec,
): unknown {
  const status = failure instanceof ProviderFailure ? failure.status : undefined;
  const metadata = {
    provider: spec.provider,
    ...(status === undefined ? undefined : { provider_status: String(status) }),
    texts_embedded: String(progress.embedded),
    texts_total: String(progress.total),
  };
  const kept =
    progress.embedded === 0
      ? ""
      : ` (${progress.embedded} of ${progress.total} texts were embedded, and are kept for a while for when the call is repeated)`;
  const explain = (kind: ErrorKind, message: string, retryAfterMs?: number): KindredError =>
    new KindredError(kind, message + kept, {
      ...(retryAfterMs === undefined ? undefined : { retryAfterMs }),
      metadata,
    });

  if (isKindredError(failure)) {
    return explain(failure.kind, `${spec.provider}: ${failure.message}`, failure.retryAfterMs);
  }
  if (!(failure instanceof ProviderFailure)) return failure;
  const { kind, message: said, retryAfterMs } = failure;
  switch (kind) {
    case "rate-limited":
      return explain(
        "resource-exhausted",
        `${spec.provider} limits the rate of requests: ${said}`,
        retryAfterMs ?? DEFAULT_RETRY_AFTER_MS,
      );
    case "quota":
      return explain(
        "resource-exhausted",
        `the account at ${spec.provider} is used up; look at its plan and billing: ${said}`,
      );
    case "server":
    case "timeout":
    case "connection":
      return explain(
        "unavailable",
        `${spec.provider} at ${spec.baseUrl} does not answer: ${said}`,
        retryAfterMs,
      );
    case "bad-answer":
      return explain(
        "data-loss",
        `${spec.provider} gave an answer for ${spec.model} that cannot be used: ${said}`,
      );
    case "refused":
      return isAboutTexts(failure)
        ? invalidTexts(failure, part, metadata, kept)
        : explain("failed-precondition", refusal(failure, spec));
  }
}

function isAboutTexts({ status, param = "" }: ProviderFailure): boolean {
  const badRequest = status === 400 || status === 413 || status === 422;
  return badRequest && (param === "" || /^(\$\.?)?input\b/.test(param));
}

/** Why nothing of this model can be embedded, and what to look at. */
function refusal({ status, param, message: said }: ProviderFailure, spec: RemoteModelSpec): string {
  switch (status) {
    case 401:
    case 403: {
      const remedy =
        spec.apiKeyVariable === undefined
          ? `${spec.name} is configured without the environment variable of a key`
          : `look at the key in ${spec.apiKeyVariable}`;
      return `${spec.provider} denies access (${status}); ${remedy}: ${said}`;
    }
    case 404:
      return `there is no model ${JSON.stringify(spec.model)} at ${spec.baseUrl} (404): ${said}`;
    case 400:
    case 413:
    case 422:
      return `${spec.provider} refuses ${JSON.stringify(param)} for ${spec.model} (${status}): ${said}`;
    default:
      return `${spec.provider} at ${spec.baseUrl} refuses the request (${status}); is it an OpenAI-compatible address? ${said}`;
  }
}

/** Said to callers whom a provider limits without saying for how long. */
const DEFAULT_RETRY_AFTER_MS = 1000;

/** An error about the text that the provider names, or about all that were in the request. */
function invalidTexts(
  failure: ProviderFailure,
  part: FailedPart,
  metadata: Readonly<Record<string, string>>,
  kept: string,
): KindredError {
  const named = /\binput(?:\[|\.)(\d+)/.exec(`${failure.param ?? ""} ${failure.message}`)?.[1];
  const position = named === undefined ? undefined : part.positions[Number(named)];
  const description = `is refused by the provider: ${failure.message}${kept}`;
  const violation =
    position === undefined
      ? { field: rangeOf(part.positions), description: description + hint(failure, part) }
      : { field: `texts[${position}]`, description };
  const { message, violations } = invalidFields([violation]);
  return new KindredError("invalid-argument", message, { violations, metadata });
}

/** Repeated texts are sent once, and so a range may have texts in it that were not sent. */
function rangeOf(positions: readonly number[]): string {
  const [first, last] = [positions[0] ?? 0, positions.at(-1) ?? 0];
  return first === last ? `texts[${first}]` : `texts[${first}..${last}]`;
}

/** Where the provider complains of length and names no text, the longest is the likely one. */
function hint(failure: ProviderFailure, part: FailedPart): string {
  if (part.texts.length < 2 || !/token|length|long|large|context/i.test(failure.message)) return "";
  let longest = 0;
  let most = 0;
  for (const [i, text] of part.texts.entries()) {
    const tokens = mostTokens(text, Number.POSITIVE_INFINITY);
    if (tokens > most) [longest, most] = [i, tokens];
  }
  return `; the longest of them is texts[${part.positions[longest]}]`;
}
