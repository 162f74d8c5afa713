import { setTimeout as sleep } from "node:timers/promises";
import { isKindredError } from "@kindred/errors";
import type { Embedder, Embeddings, Priority } from "./embedder.ts";

/** Vectors of the next texts of a stream. */
export interface EmbeddedPiece {
  /** Number of the first of them, counted from 0 over the whole stream. */
  readonly firstText: number;
  readonly textCount: number;
  readonly embeddings: Embeddings;
}

export interface StreamLimits {
  /** Most texts of a piece. */
  readonly pieceTexts: number;
  /** Most texts that were read and not yet answered. */
  readonly windowTexts: number;
  /** Most UTF-16 units of texts that were read and not yet answered; a single piece may have more. */
  readonly windowChars: number;
}

/**
 * A piece of sentences is some sixteen batches on the CPU; the window keeps the workers busy while replies travel, and lets texts of
 * equal length from several pieces share batches.
 */
export const STREAM_LIMITS: StreamLimits = {
  pieceTexts: 256,
  windowTexts: 4096,
  windowChars: 8 << 20,
};

const DEFAULT_WAIT_MS = 100;
/** Others may have found the same time to come back. */
const JITTER = 0.5;

/** Embeds, and where the queue is full waits for room instead of failing: who reads a stream may take his time. */
async function embedPatiently(
  embedder: Embedder,
  texts: readonly string[],
  options: { priority: Priority; signal: AbortSignal },
): Promise<Embeddings> {
  for (;;) {
    try {
      return await embedder.embed(texts, options);
    } catch (error) {
      if (!isKindredError(error) || error.kind !== "resource-exhausted") throw error;
      const ms = (error.retryAfterMs ?? DEFAULT_WAIT_MS) * (1 + JITTER * Math.random());
      await sleep(ms, undefined, { signal: options.signal });
    }
  }
}

interface PieceInFlight {
  readonly firstText: number;
  readonly textCount: number;
  readonly chars: number;
  readonly done: Promise<Embeddings>;
}

/**
 * Embeds the texts of a stream, several pieces at a time, and yields them in order. Reads on only while the window has room, so that
 * whoever sends is held back by whoever receives. When it ends early, by a failure or because nobody reads on, what is
 * in flight is given up.
 */
export async function* embedInOrder(
  embedder: Embedder,
  chunks: AsyncIterable<readonly string[]>,
  options: { priority: Priority; signal: AbortSignal; limits?: StreamLimits },
): AsyncGenerator<EmbeddedPiece> {
  const { pieceTexts, windowTexts, windowChars } = options.limits ?? STREAM_LIMITS;
  const over = new AbortController();
  const signal = AbortSignal.any([options.signal, over.signal]);
  const iterator = chunks[Symbol.asyncIterator]();
  const inFlight: PieceInFlight[] = [];
  /** Texts that were read and are not in flight yet. */
  let unread: readonly string[] = [];
  let nextText = 0;
  let [texts, chars] = [0, 0];
  let reading: Promise<void> | undefined;
  let ended = false;

  const start = (): void => {
    while (unread.length > 0) {
      const piece = unread.slice(0, pieceTexts);
      const pieceChars = piece.reduce((sum, text) => sum + text.length, 0);
      const fits = texts + piece.length <= windowTexts && chars + pieceChars <= windowChars;
      if (inFlight.length > 0 && !fits) return;
      const done = embedPatiently(embedder, piece, { priority: options.priority, signal });
      // Whoever comes to its turn sees the failure; until then it must not count as unhandled.
      done.catch(() => undefined);
      inFlight.push({ firstText: nextText, textCount: piece.length, chars: pieceChars, done });
      nextText += piece.length;
      texts += piece.length;
      chars += pieceChars;
      unread = unread.slice(piece.length);
    }
  };
  const read = async (): Promise<void> => {
    const step = await iterator.next();
    reading = undefined;
    if (step.done === true) ended = true;
    else unread = step.value;
  };

  try {
    for (;;) {
      start();
      if (!ended && unread.length === 0 && texts < windowTexts && chars < windowChars) reading ??= read();
      const head = inFlight[0];
      if (head === undefined && reading === undefined) return;
      const headDone = head?.done.then((embeddings) => ({ head, embeddings }));
      const event = await Promise.race([headDone, reading].filter((promise) => promise !== undefined));
      if (event === undefined) continue;
      inFlight.shift();
      texts -= event.head.textCount;
      chars -= event.head.chars;
      // Before the reader takes this piece, the next ones are on their way.
      start();
      const { firstText, textCount } = event.head;
      yield { firstText, textCount, embeddings: event.embeddings };
    }
  } finally {
    over.abort(new Error("the stream is over"));
    // A read that is under way ends with the call; its failure was the stream's, or is nobody's any more.
    reading?.catch(() => undefined);
    if (!ended) void iterator.return?.().catch(() => undefined);
  }
}
