interface Place {
  readonly ticket: number;
  readonly tokens: number;
}

/** Who waits, in the order of their tickets. */
export class WaitingLine<P extends Place> {
  /** Places before `#start` were left. */
  #places: P[] = [];
  #start = 0;
  #tokens = 0;

  get first(): P | undefined {
    return this.#places[this.#start];
  }

  get length(): number {
    return this.#places.length - this.#start;
  }

  /** Tokens that wait. */
  get tokens(): number {
    return this.#tokens;
  }

  add(place: P): void {
    // Newcomers stand at the end, what is tried again somewhere near the front.
    const index = this.#places.findLastIndex((other, i) => i < this.#start || other.ticket <= place.ticket);
    this.#places.splice(Math.max(this.#start, index + 1), 0, place);
    this.#tokens += place.tokens;
  }

  /** Whether it was there. */
  remove(place: P): boolean {
    if (place === this.first) {
      this.#start++;
      // Rarely, so that leaving costs a constant on average.
      if (this.#start > this.#places.length / 2) {
        this.#places = this.#places.slice(this.#start);
        this.#start = 0;
      }
    } else {
      const index = this.#places.indexOf(place, this.#start);
      if (index < 0) return false;
      this.#places.splice(index, 1);
    }
    this.#tokens -= place.tokens;
    return true;
  }

  /** Sends everybody away, in order. */
  clear(): P[] {
    const left = this.#places.slice(this.#start);
    this.#places = [];
    this.#start = 0;
    this.#tokens = 0;
    return left;
  }
}
