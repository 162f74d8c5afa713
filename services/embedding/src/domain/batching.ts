/** How many texts of each length wait: `counts[n]` texts of n tokens. */
export type LengthCounts = ArrayLike<number>;

/** Texts of one length that go into a batch. */
export interface BatchPart {
  readonly length: number;
  readonly count: number;
}

export interface BatchLimits {
  /** Most tokens of a batch, padding included; a single text may have more. */
  readonly budget: number;
  /**
   * What starting a batch costs, in tokens: texts of other lengths join as long as their padding costs less than
   * that, which is what a batch of their own would cost them.
   */
  readonly overhead: number;
}

interface Candidate {
  readonly parts: readonly BatchPart[];
  /** Real tokens for each token's worth of time. */
  readonly efficiency: number;
}

/** The batch whose longest texts have `longest` tokens, filled from there downwards; it has to reach `seed`. */
function fill(
  counts: LengthCounts,
  seed: number,
  longest: number,
  limits: BatchLimits,
): Candidate | undefined {
  const maxRows = Math.max(1, Math.floor(limits.budget / longest));
  const parts: BatchPart[] = [];
  let [rows, tokens, padding] = [0, 0, 0];
  for (let length = longest; length > 0 && rows < maxRows; length--) {
    const waiting = counts[length] ?? 0;
    // A place is kept for the seed, so that the oldest text always gets its turn.
    const reserved = length > seed ? 1 : 0;
    const places = maxRows - rows - reserved;
    const gap = longest - length;
    const affordable = gap === 0 ? places : Math.floor((limits.overhead - padding) / gap);
    let count = Math.min(waiting, places, affordable);
    if (length === seed) count = Math.max(count, 1);
    if (count <= 0) {
      if (gap > limits.overhead - padding && length <= seed) break;
      continue;
    }
    parts.push({ length, count });
    rows += count;
    tokens += count * length;
    padding += count * gap;
  }
  if (padding > limits.overhead) return undefined;
  return { parts, efficiency: tokens / (limits.overhead + rows * longest) };
}

/**
 * Chooses the next batch: it contains at least one text of `seed` tokens, and of all such batches it wastes the least
 * on padding and on starting. Looks at lengths only. Longest part first.
 * @param counts must have a text of `seed` tokens.
 */
export function chooseBatch(counts: LengthCounts, seed: number, limits: BatchLimits): readonly BatchPart[] {
  let best: Candidate | undefined;
  const furthest = Math.min(counts.length - 1, seed + limits.overhead);
  for (let longest = seed; longest <= furthest; longest++) {
    if (longest !== seed && (counts[longest] ?? 0) === 0) continue;
    // Beside a text of that length the seed has to fit into the budget.
    if (longest !== seed && 2 * longest > limits.budget) break;
    const candidate = fill(counts, seed, longest, limits);
    if (candidate !== undefined && candidate.efficiency > (best?.efficiency ?? 0)) best = candidate;
  }
  return best?.parts ?? [{ length: seed, count: 1 }];
}
