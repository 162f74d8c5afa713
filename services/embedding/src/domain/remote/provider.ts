/** A vector as a provider gave it: nothing about it is certain. */
export interface ProviderVector {
  /** Which of the texts it is said to belong to. */
  readonly index: unknown;
  /** Reads its values, which takes a moment; undefined when they are no vector at all. */
  readonly read: () => ArrayLike<unknown> | undefined;
}

/** What a provider says is left of the account's allowance. */
export interface ReportedLimits {
  readonly remainingRequests?: number | undefined;
  readonly remainingTokens?: number | undefined;
}

export interface ProviderAnswer {
  /** In any order, of any number: who asked checks. */
  readonly vectors: readonly ProviderVector[];
  /** Tokens that were charged; undefined where the provider does not say. */
  readonly totalTokens: number | undefined;
  readonly limits?: ReportedLimits | undefined;
}

/** Makes one request and no retries: who asks knows the limits, the budget and the caller. */
export interface EmbeddingProvider {
  /**
   * @param texts what fits one request.
   * @throws ProviderFailure; or the signal's reason, once that is aborted.
   */
  embed(texts: readonly string[], options: { signal: AbortSignal }): Promise<ProviderAnswer>;
}

/**
 * - rate-limited: too fast; later it may work (429)
 * - quota: the account is used up; waiting does not help (429 with insufficient_quota, 402)
 * - refused: any other 4xx; the same request will be refused again
 * - server: 5xx
 * - timeout, connection: no answer, or half of one
 * - bad-answer: an answer that is no JSON, or whose vectors cannot be right
 */
export type ProviderFailureKind =
  "rate-limited" | "quota" | "refused" | "server" | "timeout" | "connection" | "bad-answer";

export interface ProviderFailureOptions {
  /** HTTP status, where there was one. */
  readonly status?: number | undefined;
  /** The provider's own wish, in milliseconds. */
  readonly retryAfterMs?: number | undefined;
  /** Which part of the request the provider names, e.g. "input[3]" or "dimensions". */
  readonly param?: string | undefined;
  /** Tokens that were charged although nothing came of it. */
  readonly totalTokens?: number | undefined;
  readonly limits?: ReportedLimits | undefined;
}

/** A request that failed. The message is fit for users: short, and without the key. */
export class ProviderFailure extends Error {
  override readonly name = "ProviderFailure";
  readonly kind: ProviderFailureKind;
  readonly status: number | undefined;
  readonly retryAfterMs: number | undefined;
  readonly param: string | undefined;
  readonly totalTokens: number | undefined;
  readonly limits: ReportedLimits | undefined;

  constructor(kind: ProviderFailureKind, message: string, options: ProviderFailureOptions = {}) {
    super(message);
    this.kind = kind;
    this.status = options.status;
    this.retryAfterMs = options.retryAfterMs;
    this.param = options.param;
    this.totalTokens = options.totalTokens;
    this.limits = options.limits;
  }
}
