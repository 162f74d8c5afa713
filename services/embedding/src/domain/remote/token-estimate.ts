/** Tokens that most models put around a text. */
const SPECIAL_TOKENS = 2;
/** Kept above what was seen, for the next texts are others. */
const MARGIN = 1.1;
/** Weight of the newest request when its texts were cheaper than expected. */
const DECAY = 0.1;
/** English has about 4.5 bytes to a token; nothing in sight has 20. */
const MIN_RATIO = 0.05;

/**
 * Most tokens that a text can have. Tokens of a byte-level BPE (cl100k of OpenAI, Qwen's) stand for one byte of UTF-8 at least, and
 * WordPiece and Unigram for one character; what goes beyond the model's limit is cut or refused.
 */
export function mostTokens(text: string, maxTokens: number): number {
  return Math.min(maxTokens, Buffer.byteLength(text) + SPECIAL_TOKENS);
}

/**
 * Learns how many tokens texts really have, as a share of the most that they can have, from what a provider charges. Starts at all of
 * it; follows more expensive texts at once and cheaper ones slowly, so that it errs on the side that no limit minds.
 */
export class TokenEstimate {
  #ratio = 1;

  /** Tokens to expect of texts that have `most` at most. */
  expected(most: number): number {
    return Math.ceil(most * this.#ratio);
  }

  /** How many texts may have at most so that `expected` stays below this. */
  mostFor(expected: number): number {
    return expected / this.#ratio;
  }

  /** A request whose texts could have `most` tokens was charged with `actual`. */
  learn(most: number, actual: number): void {
    if (most <= 0 || !(actual > 0)) return;
    const seen = Math.min(1, Math.max(MIN_RATIO, (actual / most) * MARGIN));
    this.#ratio = seen > this.#ratio ? seen : this.#ratio + DECAY * (seen - this.#ratio);
  }
}
