import { chooseBatch, type BatchLimits } from "./batching.ts";

/** A text that waits for its vector, as part of a request. */
export interface WaitingText<R> {
  readonly request: R;
  /** Row of the request's result. */
  readonly row: number;
  readonly ids: Int32Array<ArrayBuffer>;
}

/** A request's texts, longest first, and how far they have been handed out. */
interface Turn<R> {
  readonly texts: readonly WaitingText<R>[];
  next: number;
}

/**
 * Texts of one priority, by length. Requests take turns: each batch is built around the longest waiting text of the
 * request whose turn it is, and filled up with texts of about that length from whatever request.
 */
export class WaitingTexts<R> {
  readonly #byLength: Set<WaitingText<R>>[];
  readonly #counts: Uint32Array;
  /** In the order of their turns. */
  readonly #turns = new Map<R, Turn<R>>();
  #tokens = 0;

  /** @param maxLength most tokens of a text. */
  constructor(maxLength: number) {
    this.#byLength = Array.from({ length: maxLength + 1 }, () => new Set());
    this.#counts = new Uint32Array(maxLength + 1);
  }

  /** Tokens that wait. */
  get tokens(): number {
    return this.#tokens;
  }

  add(request: R, texts: readonly WaitingText<R>[]): void {
    const sorted = texts.toSorted((a, b) => b.ids.length - a.ids.length);
    this.#turns.set(request, { texts: sorted, next: 0 });
    for (const text of sorted) {
      this.#bucket(text.ids.length).add(text);
      this.#count(text.ids.length, 1);
    }
  }

  /** Drops what still waits of a request. */
  remove(request: R): void {
    const turn = this.#turns.get(request);
    if (turn === undefined) return;
    for (const text of turn.texts.slice(turn.next)) this.#take(text);
    this.#turns.delete(request);
  }

  /** Takes out the next batch; undefined when nothing waits. Longest texts first. */
  nextBatch(limits: BatchLimits): WaitingText<R>[] | undefined {
    const seed = this.#nextSeed();
    if (seed === undefined) return undefined;
    const batch: WaitingText<R>[] = [];
    for (const { length, count } of chooseBatch(this.#counts, seed.ids.length, limits)) {
      let wanted = count;
      if (length === seed.ids.length) {
        batch.push(seed);
        wanted--;
      }
      for (const text of this.#bucket(length)) {
        if (wanted === 0) break;
        if (text === seed) continue;
        batch.push(text);
        wanted--;
      }
    }
    for (const text of batch) this.#take(text);
    return batch;
  }

  /** The longest waiting text of the request whose turn it is; that request then stands last in the line. */
  #nextSeed(): WaitingText<R> | undefined {
    for (const [request, turn] of this.#turns) {
      this.#turns.delete(request);
      let text = turn.texts[turn.next];
      // Texts that filled up the batches of other requests are gone already.
      while (text !== undefined && !this.#bucket(text.ids.length).has(text)) text = turn.texts[++turn.next];
      if (text === undefined) continue;
      this.#turns.set(request, turn);
      return text;
    }
    return undefined;
  }

  #bucket(length: number): Set<WaitingText<R>> {
    return this.#byLength[length] as Set<WaitingText<R>>;
  }

  #take(text: WaitingText<R>): void {
    if (this.#bucket(text.ids.length).delete(text)) this.#count(text.ids.length, -1);
  }

  #count(length: number, change: 1 | -1): void {
    this.#counts[length] = (this.#counts[length] as number) + change;
    this.#tokens += change * length;
  }
}
