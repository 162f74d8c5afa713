import { isKindredError, type KindredError } from "@kindred/errors";
import type { Song } from "./pending-songs.ts";
import { cutText, type SongBatch } from "./song-batches.ts";

/** What one call of the embedding service gives. */
export interface EmbeddedTexts {
  /** Row after row, in the order of the texts. */
  vectors: Float32Array;
  /** As the model counted them. */
  tokens: number;
  /** Texts that the model cut; 0 for models that do not say. */
  truncated: number;
}

/** A song that the provider takes in no form. */
export interface RefusedSong {
  id: bigint;
  reason: string;
}

/** Vectors of the songs of a batch. */
export interface EmbeddedBatch extends EmbeddedTexts {
  /** Of each vector. */
  ids: bigint[];
  refused: RefusedSong[];
}

/** A text that is refused for its length gets shorter by a quarter each time, beginning with so many bytes for each token the model reads. */
const MOST_BYTES_PER_TOKEN = 8;
const SHORTENED_TO = 3 / 4;

/**
 * Embeds a batch by as few calls as possible. Providers refuse a text that is longer than their model reads, and the whole request with it, where local
 * models cut it: such a text is found and cut here. What is refused although it is short is left out. Songs of a request that failed and were
 * embedded all the same are kept by the service for a while, so that asking again for them costs nothing.
 * @param embed one call; throws KindredErrors
 * @param maxTokens of one text, that the model reads; a token is one byte at least, so that shorter texts are never too long
 */
export async function embedBatch(
  { songs, cut }: SongBatch,
  embed: (texts: string[]) => Promise<EmbeddedTexts>,
  maxTokens: number,
): Promise<EmbeddedBatch> {
  const parts: EmbeddedBatch[] = [];
  const embedAll = async (some: readonly Song[]): Promise<void> => {
    if (some.length === 0) return;
    try {
      const embedded = await embed(some.map(({ lyrics }) => lyrics));
      parts.push({ ...embedded, ids: some.map(({ id }) => id), refused: [] });
    } catch (error) {
      const refused = refusedTexts(error, some.length);
      if (!refused) throw error;
      const [only] = some;
      if (only && some.length === 1) {
        parts.push(await embedShorter(only, error as KindredError, embed, maxTokens));
        return;
      }
      // The named ones apart from the others; where a range is named, one half of it after the other.
      const isNamed = refused.size < some.length;
      const middle = Math.ceil(some.length / 2);
      const groups = isNamed
        ? [some.filter((_, i) => !refused.has(i)), ...[...refused].map((i) => some.slice(i, i + 1))]
        : [some.slice(0, middle), some.slice(middle)];
      for (const group of groups) await embedAll(group);
    }
  };
  await embedAll(songs);
  return joined(parts, cut);
}

async function embedShorter(
  song: Song,
  refusal: KindredError,
  embed: (texts: string[]) => Promise<EmbeddedTexts>,
  maxTokens: number,
): Promise<EmbeddedBatch> {
  let error = refusal;
  let bytes = Math.min(
    Math.floor(Buffer.byteLength(song.lyrics) * SHORTENED_TO),
    maxTokens * MOST_BYTES_PER_TOKEN,
  );
  for (
    let isLast = Buffer.byteLength(song.lyrics) <= maxTokens;
    !isLast;
    bytes = Math.floor(bytes * SHORTENED_TO)
  ) {
    // Cut further than that, its length cannot be what is wrong with it.
    isLast = bytes <= maxTokens;
    try {
      const embedded = await embed([cutText(song.lyrics, bytes)]);
      return { ...embedded, truncated: 1, ids: [song.id], refused: [] };
    } catch (next) {
      if (!refusedTexts(next, 1)) throw next;
      error = next as KindredError;
    }
  }
  const reason = error.violations[0]?.description ?? error.message;
  return {
    vectors: new Float32Array(0),
    tokens: 0,
    truncated: 0,
    ids: [],
    refused: [{ id: song.id, reason }],
  };
}

/** Positions of the texts that an error is about; undefined for one that is about something else. */
function refusedTexts(error: unknown, count: number): Set<number> | undefined {
  if (!isKindredError(error) || error.kind !== "invalid-argument") return undefined;
  const positions = new Set<number>();
  for (const { field } of error.violations) {
    const [, first, last = first] = /^texts\[(\d+)(?:\.\.(\d+))?\]$/.exec(field) ?? [];
    if (first === undefined) return undefined;
    for (let i = Number(first); i <= Math.min(Number(last), count - 1); i++) positions.add(i);
  }
  return positions.size > 0 ? positions : undefined;
}

function joined(parts: readonly EmbeddedBatch[], cut: number): EmbeddedBatch {
  const [only] = parts;
  const sum = (of: (part: EmbeddedBatch) => number): number =>
    parts.reduce((total, part) => total + of(part), 0);
  const counts = { tokens: sum((part) => part.tokens), truncated: sum((part) => part.truncated) };
  // What was cut before it was sent is cut, whether the model had to cut it once more or not.
  const truncated = Math.max(counts.truncated, cut);
  if (only && parts.length === 1) return { ...only, truncated };
  const vectors = new Float32Array(sum((part) => part.vectors.length));
  let at = 0;
  for (const part of parts) {
    vectors.set(part.vectors, at);
    at += part.vectors.length;
  }
  return {
    vectors,
    tokens: counts.tokens,
    truncated,
    ids: parts.flatMap(({ ids }) => ids),
    refused: parts.flatMap(({ refused }) => refused),
  };
}
