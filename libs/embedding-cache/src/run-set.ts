import type { CachedIds, IdRun } from "./types.ts";

/** Runs in a leaf: few enough to move about in a microsecond, many enough that the list of leaves stays short. */
const LEAF_RUNS = 512;

/** Runs in ascending order that neither overlap nor touch. */
class Leaf {
  readonly firsts = new BigInt64Array(LEAF_RUNS);
  readonly lasts = new BigInt64Array(LEAF_RUNS);
  length = 0;

  /** How many runs begin at or below the id. */
  upTo(id: bigint): number {
    let low = 0;
    let high = this.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((this.firsts[middle] as bigint) <= id) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  insert(at: number, first: bigint, last: bigint): void {
    this.firsts.copyWithin(at + 1, at, this.length);
    this.lasts.copyWithin(at + 1, at, this.length);
    this.firsts[at] = first;
    this.lasts[at] = last;
    this.length++;
  }

  remove(at: number): void {
    this.firsts.copyWithin(at, at + 1, this.length);
    this.lasts.copyWithin(at, at + 1, this.length);
    this.length--;
  }

  /** Takes the runs from `from` on out, into a leaf of their own. */
  splitAt(from: number): Leaf {
    const upper = new Leaf();
    upper.firsts.set(this.firsts.subarray(from, this.length));
    upper.lasts.set(this.lasts.subarray(from, this.length));
    upper.length = this.length - from;
    this.length = from;
    return upper;
  }
}

/** A set of int64 that keeps runs of consecutive ones: 16 bytes a run, in leaves like those of a B-tree, two levels high. */
export class RunSet implements CachedIds {
  /** In ascending order; none is empty. */
  readonly #leaves: Leaf[] = [];
  #count = 0;

  get count(): number {
    return this.#count;
  }

  get max(): bigint | undefined {
    const leaf = this.#leaves.at(-1);
    return leaf?.lasts[leaf.length - 1];
  }

  has(id: bigint): boolean {
    const leaf = this.#leaves[this.#leafOf(id)];
    if (!leaf) return false;
    const at = leaf.upTo(id) - 1;
    return at >= 0 && id <= (leaf.lasts[at] as bigint);
  }

  /** All runs in ascending order; the set may not change meanwhile. */
  *runs(): Generator<IdRun> {
    for (const leaf of this.#leaves) {
      for (let at = 0; at < leaf.length; at++) {
        yield { first: leaf.firsts[at] as bigint, last: leaf.lasts[at] as bigint };
      }
    }
  }

  /** @param repeated told of each position whose id was there already, in `ids` further ahead or before */
  addAll(ids: BigInt64Array, repeated?: (position: number) => void): void {
    let start = 0;
    while (start < ids.length) {
      const first = ids[start] as bigint;
      let end = start + 1;
      let last = first;
      while (end < ids.length && ids[end] === last + 1n) {
        last++;
        end++;
      }
      if (!this.#addRun(first, last)) {
        for (let at = start; at < end; at++) {
          const id = ids[at] as bigint;
          if (!this.#addRun(id, id)) repeated?.(at);
        }
      }
      start = end;
    }
  }

  /** The last leaf that begins at or below the id, else the first one; -1 when there is none. */
  #leafOf(id: bigint): number {
    let low = 0;
    let high = this.#leaves.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (((this.#leaves[middle] as Leaf).firsts[0] as bigint) <= id) low = middle + 1;
      else high = middle;
    }
    return Math.min(Math.max(low - 1, 0), this.#leaves.length - 1);
  }

  /** @returns false, and nothing is changed, when one of the ids is there already */
  #addRun(first: bigint, last: bigint): boolean {
    const index = this.#leafOf(first);
    const leaf = this.#leaves[index];
    if (!leaf) {
      this.#leaves.push(new Leaf());
      (this.#leaves[0] as Leaf).insert(0, first, last);
      this.#count += Number(last - first) + 1;
      return true;
    }
    const at = leaf.upTo(first);
    // Runs do not touch, so only the two neighbours can overlap or be joined; the upper one may begin the next leaf.
    const upperLeaf = at < leaf.length ? leaf : this.#leaves[index + 1];
    const upperAt = at < leaf.length ? at : 0;
    const lower = at > 0 ? (leaf.lasts[at - 1] as bigint) : undefined;
    const upper = upperLeaf?.firsts[upperAt];
    if ((lower !== undefined && lower >= first) || (upper !== undefined && upper <= last)) return false;

    this.#count += Number(last - first) + 1;
    const joinsLower = lower !== undefined && lower + 1n === first;
    const joinsUpper = upper !== undefined && last + 1n === upper;
    if (joinsLower && joinsUpper && upperLeaf) {
      leaf.lasts[at - 1] = upperLeaf.lasts[upperAt] as bigint;
      upperLeaf.remove(upperAt);
      if (upperLeaf.length === 0) this.#leaves.splice(index + 1, 1);
    } else if (joinsLower) leaf.lasts[at - 1] = last;
    else if (joinsUpper && upperLeaf) upperLeaf.firsts[upperAt] = first;
    else this.#insert(index, at, first, last);
    return true;
  }

  #insert(index: number, at: number, first: bigint, last: bigint): void {
    const leaf = this.#leaves[index] as Leaf;
    if (leaf.length < LEAF_RUNS) {
      leaf.insert(at, first, last);
      return;
    }
    // Ids that come in ascending order leave full leaves behind; any others halves.
    const from = at === LEAF_RUNS ? LEAF_RUNS : LEAF_RUNS / 2;
    const upper = leaf.splitAt(from);
    this.#leaves.splice(index + 1, 0, upper);
    if (at < from) leaf.insert(at, first, last);
    else upper.insert(at - from, first, last);
  }
}
