import { mostTokens } from "./token-estimate.ts";

/** Texts that fit one request, and where they stand among those that were split. */
export interface TextPart {
  readonly texts: readonly string[];
  readonly first: number;
  /** Most tokens that they can have. */
  readonly mostTokens: number;
}

export interface PartLimits {
  readonly maxTexts: number;
  /** Most tokens of a request. A text that is alone may have more: it is the provider's to refuse. */
  readonly maxTokensPerRequest: number;
  /** Most tokens of a text. */
  readonly maxTokens: number;
}

/** Cuts texts into requests, in order. */
export function splitTexts(texts: readonly string[], limits: PartLimits): TextPart[] {
  const parts: TextPart[] = [];
  let first = 0;
  let tokens = 0;
  for (const [i, text] of texts.entries()) {
    const most = mostTokens(text, limits.maxTokens);
    const full = i - first >= limits.maxTexts || tokens + most > limits.maxTokensPerRequest;
    if (full && i > first) {
      parts.push({ texts: texts.slice(first, i), first, mostTokens: tokens });
      first = i;
      tokens = 0;
    }
    tokens += most;
  }
  if (first < texts.length) parts.push({ texts: texts.slice(first), first, mostTokens: tokens });
  return parts;
}
