/** What a sample of queries says about mean recall. */
export interface RecallEstimate {
  recall: number;
  lower: number;
  upper: number;
}

/**
 * How much wider than Wilson's the two-sided interval is. Simulated samples of 20 to 1,000 queries, of which most find everything and a
 * tail finds less, leave the bare interval in 4 to 5 % of the cases, where they have luck with the tail; a fifth more leaves one in fifty.
 */
const WIDENING = 1.2;

/**
 * Mean recall of a population of queries, and the interval that holds it, from the recall of each sampled query.
 *
 * It is Wilson's score interval (Wilson, "Probable inference, the law of succession, and statistical inference", JASA 1927) for as many
 * independent trials as the sample is worth: hits of one query come and go together. Their number is p(1-p) over the variance of the mean,
 * which is Kish's effective sample size ("Survey Sampling", 1965: n·k over the design effect), between half the queries and all of
 * their n·k hits. The variance is taken as if one more query had found nothing, since a sample easily misses the few queries
 * that find little, and the normal quantile is replaced by Student's for n - 1. Where all queries agree, each of them is one trial.
 * @param perQuery share of the k nearest that each query found; at least one
 * @param k most hits of a query
 * @param confidence of the two-sided interval, above 0.5 and below 1
 */
export function recallInterval(perQuery: readonly number[], k: number, confidence: number): RecallEstimate {
  const quantile = WIDENING * studentQuantile((1 + confidence) / 2, perQuery.length - 1);
  return wilson(mean(perQuery), effectiveTrials(perQuery, k), quantile);
}

/**
 * Lower end of the one-sided interval, which tuning goes by. It is not widened, and the query that is imagined has found three quarters less than the
 * others: at a recall of 0.99 everything else would cost several times the effort. Parameters are those of recallInterval.
 */
export function recallLowerBound(perQuery: readonly number[], k: number, confidence = 0.95): number {
  const n = perQuery.length;
  const p = mean(perQuery);
  const trials = trialsWith(perQuery, { imagined: Math.max(0, p - 0.75), least: n, most: n * k });
  return wilson(p, trials, studentQuantile(confidence, n - 1)).lower;
}

export function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}

export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = (sorted.length - 1) / 2;
  return ((sorted[Math.floor(middle)] ?? 0) + (sorted[Math.ceil(middle)] ?? 0)) / 2;
}

/** How many independent trials the queries' hits are worth: see recallInterval. @param k most hits of a query */
export function effectiveTrials(perQuery: readonly number[], k: number): number {
  return trialsWith(perQuery, { imagined: 0, least: perQuery.length / 2, most: perQuery.length * k });
}

/** @param range.imagined what one more query would have found */
function trialsWith(
  perQuery: readonly number[],
  { imagined, least, most }: { imagined: number; least: number; most: number },
): number {
  const n = perQuery.length;
  const first = perQuery[0];
  if (perQuery.every((recall) => recall === first)) return n;
  const p = mean(perQuery);
  const centre = (n * p + imagined) / (n + 1);
  const squares = perQuery.reduce((sum, recall) => sum + (recall - centre) ** 2, (imagined - centre) ** 2);
  const varianceOfMean = squares / n ** 2;
  return Math.min(most, Math.max(least, (p * (1 - p)) / varianceOfMean));
}

function wilson(p: number, n: number, z: number): RecallEstimate {
  const denominator = 1 + z ** 2 / n;
  const centre = (p + z ** 2 / (2 * n)) / denominator;
  const half = (z / denominator) * Math.sqrt((p * (1 - p)) / n + z ** 2 / (4 * n ** 2));
  // At 0 and 1 rounding could leave the mean itself outside.
  return {
    recall: p,
    lower: Math.max(0, Math.min(p, centre - half)),
    upper: Math.min(1, Math.max(p, centre + half)),
  };
}

/** Abramowitz and Stegun 26.7.5: from the normal quantile, exact to a per cent from three degrees of freedom on. */
function studentQuantile(probability: number, degrees: number): number {
  const z = normalQuantile(probability);
  const nu = Math.max(1, degrees);
  return z + (z ** 3 + z) / (4 * nu) + (5 * z ** 5 + 16 * z ** 3 + 3 * z) / (96 * nu ** 2);
}

/** Abramowitz and Stegun 26.2.23, for probabilities of at least a half: exact to 4.5e-4. */
function normalQuantile(probability: number): number {
  const t = Math.sqrt(-2 * Math.log(1 - probability));
  const numerator = 2.515517 + t * (0.802853 + t * 0.010328);
  const denominator = 1 + t * (1.432788 + t * (0.189269 + t * 0.001308));
  return t - numerator / denominator;
}
