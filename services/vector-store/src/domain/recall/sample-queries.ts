import { KindredError } from "@kindred/errors";
import type { Collection } from "../collection.ts";
import { packFloats, unpackFloats, type PackedVector } from "../packed-vector.ts";
import type { CallLimits } from "../ports.ts";
import type { QuerySamples } from "./recall-ports.ts";
import type { QueryOrigin } from "./recall.ts";

export interface SampledQuery {
  vector: PackedVector;
  /** Whether somebody has searched for it. */
  recent: boolean;
}

/** How far stored vectors are moved: see jitter. */
const JITTER = 0.5;

/**
 * Queries to measure recall with, in random order.
 * @param random numbers of [0, 1)
 * @throws KindredError failed-precondition where there are no such queries
 */
export async function sampleQueries(
  samples: QuerySamples,
  collection: Collection,
  { count, origin }: { count: number; origin: QueryOrigin },
  limits: CallLimits,
  random: () => number = Math.random,
): Promise<SampledQuery[]> {
  const wantedRecent = origin === "stored" ? 0 : origin === "mixed" ? Math.ceil(count / 2) : count;
  const recent = wantedRecent > 0 ? await samples.recent(collection, wantedRecent, limits) : [];
  if (origin === "recent" && recent.length === 0) {
    throw new KindredError(
      "failed-precondition",
      `nobody has searched ${JSON.stringify(collection.name)} lately: measure with stored vectors`,
    );
  }
  const wantedStored = origin === "recent" ? 0 : count - recent.length;
  const stored =
    wantedStored > 0 ? await movedVectors(samples, collection, wantedStored, limits, random) : [];
  if (recent.length + stored.length === 0) {
    throw new KindredError("failed-precondition", `${JSON.stringify(collection.name)} holds no vectors`);
  }
  return shuffled(
    [
      ...recent.map((vector) => ({ vector, recent: true })),
      ...stored.map((vector) => ({ vector, recent: false })),
    ],
    random,
  );
}

async function movedVectors(
  samples: QuerySamples,
  collection: Collection,
  count: number,
  limits: CallLimits,
  random: () => number,
): Promise<PackedVector[]> {
  const stored = await samples.stored(collection, count, limits);
  const other = (): PackedVector => stored[Math.floor(random() * stored.length)] as PackedVector;
  return stored.map((vector) => jitter(collection, vector, other(), other(), random));
}

/**
 * A query like those that people ask, of a stored vector: x + s·(a - b), of two other stored vectors. Their difference scatters as the
 * data do, in the directions in which those differ and to their extent, which noise of equal size in all directions does not. Bits
 * of x are flipped where those of a and b differ, with the probability s. A vector of length 1 keeps its length.
 */
export function jitter(
  collection: Pick<Collection, "elementType">,
  vector: PackedVector,
  a: PackedVector,
  b: PackedVector,
  random: () => number,
  strength: number = JITTER,
): PackedVector {
  if (collection.elementType === "bit")
    return vector.map((byte, i) => byte ^ (differing(a, b, i) & mask(strength, random)));
  const [x, left, right] = [unpackFloats(vector), unpackFloats(a), unpackFloats(b)];
  const moved = x.map((value, i) => value + strength * ((left[i] ?? 0) - (right[i] ?? 0)));
  const [before, after] = [lengthOf(x), lengthOf(moved)];
  // Nothing points nowhere, and half precision ends at 65,504.
  if (after === 0 || !Number.isFinite(after) || tooLarge(collection, moved)) return vector;
  return packFloats(Math.abs(before - 1) < UNIT_TOLERANCE ? moved.map((value) => value / after) : moved);
}

const UNIT_TOLERANCE = 1e-2;
const MAX_HALF = 65_504;

function tooLarge({ elementType }: Pick<Collection, "elementType">, values: Float32Array): boolean {
  return elementType === "halfvec" && values.some((value) => Math.abs(value) > MAX_HALF);
}

function differing(a: PackedVector, b: PackedVector, i: number): number {
  return (a[i] ?? 0) ^ (b[i] ?? 0);
}

/** A byte each of whose bits is set with this probability. */
function mask(probability: number, random: () => number): number {
  let bits = 0;
  for (let bit = 0; bit < 8; bit++) if (random() < probability) bits |= 1 << bit;
  return bits;
}

function lengthOf(values: Float32Array): number {
  let squares = 0;
  for (const value of values) squares += value * value;
  return Math.sqrt(squares);
}

/** Fisher and Yates. */
function shuffled<T>(values: T[], random: () => number): T[] {
  for (let i = values.length - 1; i > 0; i--) {
    const j = Math.floor(random() * (i + 1));
    [values[i], values[j]] = [values[j] as T, values[i] as T];
  }
  return values;
}
