import { setImmediate } from "node:timers/promises";

/**
 * How a long text is handed to a tokenizer, so that it is read only as far as needed: in segments cut at BERT's places, whose tokens
 * one after the other are those of the text; in prefixes, where only the beginning of the text can be told from a part of it; or whole.
 */
export type LongTexts = "segments" | "prefixes" | "whole";

/** Splits text into the model's tokens. Fast for short texts. */
export interface TokenizerPort {
  /** "segments" where it is not told. */
  readonly longTexts?: LongTexts;
  /** Ids that every text begins and ends with. */
  readonly startId: number;
  readonly endId: number;
  /** Ids of the text's own tokens, without special tokens, however many there are. */
  contentIds(text: string): readonly number[];
  /** The token that an id stands for. */
  token(id: number): string;
}

export interface TokenizedText {
  /** Special tokens included, at most `maxTokens`. */
  readonly ids: Int32Array<ArrayBuffer>;
  /** Whether the text had more tokens than fit. */
  readonly truncated: boolean;
}

/**
 * Texts up to this length are tokenised whole. Above, in segments of about this length, only as far as needed. The worst text
 * (words of 99 letters that are in no vocabulary) takes some 10 us a character.
 */
const SEGMENT_CHARS = 512;
/** How long tokenising may hold the thread before it lets others run. */
const SLICE_MS = 2;

// U+0085 and U+180E are left out: not everybody counts them as blanks.
const BLANK = "[ \\t\\n\\r\\u00a0\\u2000-\\u200a\\u3000]";
const IDEOGRAPH = "[\\u4e00-\\u9fff]";
// Brackets stand apart: cutting inside "[SEP]" would make five tokens of one.
const PUNCTUATION = "[!-/:-@\\\\^-`{-~\\]]";
/** Positions at which a text may be cut without changing its tokens: the tokenizer isolates what stands there. */
const CUT = new RegExp(`(?=${BLANK}|${IDEOGRAPH}|\\[)|(?<=${PUNCTUATION}|${IDEOGRAPH})`, "g");

/** WordPiece gives up on longer words: they become one unknown token, whatever they are made of. */
const MAX_WORD_CHARS = 100;
// Ideographs are words by themselves.
const LETTER = "[[\\p{L}\\p{N}]--\\p{sc=Han}]";
// The look-behind keeps the search linear: a word is tried from its beginning only.
const GIANT_WORD = new RegExp(`(?<!${LETTER})(${LETTER}{${MAX_WORD_CHARS + 1}})${LETTER}+`, "gv");

/**
 * Cuts a text into segments of about `size` UTF-16 units; together they stand for the text: the tokens of the segments, one after
 * the other, are the tokens of the text. A stretch without a place to cut stays whole, but for its giant words.
 */
export function* segments(text: string, size: number = SEGMENT_CHARS): Generator<string> {
  let start = 0;
  while (start < text.length) {
    CUT.lastIndex = start + size;
    const end = start + size < text.length ? (CUT.exec(text)?.index ?? text.length) : text.length;
    const segment = text.slice(start, end);
    yield segment.length > 2 * size ? segment.replace(GIANT_WORD, "$1") : segment;
    start = end;
  }
}

/**
 * Where a prefix may end: after a letter, a digit or a mark, before the blanks that follow it. No tokenizer joins what stands on the
 * two sides of blanks, none looks back over them, and a prefix that ends so has none at its end that would be taken otherwise than inside.
 */
const PREFIX_END = /(?<=[\p{L}\p{N}\p{P}])(?=[ \n])/gu;

/**
 * Prefixes of a text, each at least twice as long as the one before, the last one the text itself. The tokens of each are the first
 * ones of the text.
 */
export function* prefixes(text: string, size: number = SEGMENT_CHARS): Generator<string> {
  for (let length = size; length < text.length; length *= 2) {
    PREFIX_END.lastIndex = length;
    const end = PREFIX_END.exec(text)?.index ?? text.length;
    if (end === text.length) break;
    yield text.slice(0, end);
    length = end;
  }
  yield text;
}

/**
 * Tokenises one text as far as needed: a text of any length costs little more than its first `maxTokens` tokens, except
 * where most of it yields no tokens. Yields (as a generator) between segments, so that the caller can let others run.
 */
function* tokenizeSteps(
  tokenizer: TokenizerPort,
  text: string,
  maxTokens: number,
): Generator<void, TokenizedText> {
  const room = maxTokens - 2;
  let content: number[] = [];
  const { longTexts = "segments" } = tokenizer;
  if (text.length <= SEGMENT_CHARS || longTexts === "whole") {
    content = [...tokenizer.contentIds(text)];
  } else if (longTexts === "prefixes") {
    for (const prefix of prefixes(text)) {
      content = [...tokenizer.contentIds(prefix)];
      if (content.length > room) break;
      yield;
    }
  } else {
    for (const segment of segments(text)) {
      content.push(...tokenizer.contentIds(segment).slice(0, room + 1));
      if (content.length > room) break;
      yield;
    }
  }
  const truncated = content.length > room;
  const ids = Int32Array.from([tokenizer.startId, ...content.slice(0, room), tokenizer.endId]);
  return { ids, truncated };
}

/**
 * Tokenises texts in order, cut to `maxTokens` with special tokens, letting other work of the thread run every few
 * milliseconds. Rejects with the signal's reason when it is aborted.
 */
export async function tokenizeTexts(
  tokenizer: TokenizerPort,
  texts: readonly string[],
  maxTokens: number,
  signal?: AbortSignal,
): Promise<TokenizedText[]> {
  const results: TokenizedText[] = [];
  let sliceEnd = performance.now() + SLICE_MS;
  const pause = async () => {
    await setImmediate();
    signal?.throwIfAborted();
    sliceEnd = performance.now() + SLICE_MS;
  };
  signal?.throwIfAborted();
  for (const text of texts) {
    if (performance.now() > sliceEnd) await pause();
    const steps = tokenizeSteps(tokenizer, text, maxTokens);
    let step = steps.next();
    while (step.done !== true) {
      if (performance.now() > sliceEnd) await pause();
      step = steps.next();
    }
    results.push(step.value);
  }
  return results;
}
