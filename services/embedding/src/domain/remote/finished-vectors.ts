import { hash } from "node:crypto";
import type { Clock } from "./clock.ts";

export interface FinishedVectorsOptions {
  readonly clock: Clock;
  readonly maxBytes?: number | undefined;
  /** How long a vector is kept after it was last put in. */
  readonly maxAgeMs?: number | undefined;
}

interface Entry {
  readonly vector: Float32Array<ArrayBuffer>;
  readonly until: number;
}

/** The largest call that this service takes, 10,000 texts, at 3,072 dimensions. */
const DEFAULT_MAX_BYTES = 128 << 20;
const DEFAULT_MAX_AGE_MS = 600_000;

/**
 * Vectors that were paid for in calls that failed in the end, until the call is repeated. Texts are known by their hash only: they may
 * be long, and they are their owners'. When there are too many, those that were put in first go.
 */
export class FinishedVectors {
  readonly #clock: Clock;
  readonly #maxBytes: number;
  readonly #maxAgeMs: number;
  /** Oldest first. */
  readonly #entries = new Map<string, Entry>();
  #bytes = 0;

  constructor({
    clock,
    maxBytes = DEFAULT_MAX_BYTES,
    maxAgeMs = DEFAULT_MAX_AGE_MS,
  }: FinishedVectorsOptions) {
    this.#clock = clock;
    this.#maxBytes = maxBytes;
    this.#maxAgeMs = maxAgeMs;
  }

  get size(): number {
    return this.#entries.size;
  }

  /** The vector of a text, which stays the store's own. */
  get(text: string): Float32Array<ArrayBuffer> | undefined {
    this.#dropOld();
    // Hashing costs as much as reading the text; mostly there is nothing to find.
    return this.#entries.size === 0 ? undefined : this.#entries.get(keyOf(text))?.vector;
  }

  /** Keeps a copy: a view would keep the vectors of the whole request alive. */
  keep(text: string, vector: Float32Array): void {
    const key = keyOf(text);
    this.#delete(key);
    this.#entries.set(key, { vector: vector.slice(), until: this.#clock.now() + this.#maxAgeMs });
    this.#bytes += vector.byteLength;
    while (this.#bytes > this.#maxBytes) this.#delete(this.#entries.keys().next().value as string);
  }

  /** The call was repeated and has its answer. */
  forget(text: string): void {
    this.#delete(keyOf(text));
  }

  #dropOld(): void {
    const now = this.#clock.now();
    for (const [key, entry] of this.#entries) {
      if (entry.until > now) return;
      this.#delete(key);
    }
  }

  #delete(key: string): void {
    const entry = this.#entries.get(key);
    if (entry === undefined) return;
    this.#entries.delete(key);
    this.#bytes -= entry.vector.byteLength;
  }
}

function keyOf(text: string): string {
  return hash("sha256", text, "base64");
}
