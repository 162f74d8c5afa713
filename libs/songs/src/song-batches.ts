import type { Song } from "./pending-songs.ts";

/** Bytes of UTF-8 that one text of a call may have. */
export const MAX_TEXT_BYTES = 2 ** 20;

/** What one call may have at most. One song always fits. */
export interface BatchLimits {
  texts: number;
  bytes: number;
  /** As estimateTokens counts them. */
  tokens: number;
  /** Tokens that the model reads of one text. */
  maxTokens: number;
}

/** Songs that are embedded by one call. */
export interface SongBatch {
  songs: Song[];
  /** Songs of it that were cut before they were sent. */
  cut: number;
}

/**
 * Tokens of a text of so many bytes: of languages with an alphabet, tokenizers make some four bytes a token, of others some three. It only
 * divides work into calls.
 */
export function estimateTokens(bytes: number, maxTokens: number): number {
  return Math.min(maxTokens, Math.ceil(bytes / 3) + 2);
}

/** In order; a batch has as much as it may have. Songs whose text is longer than a call takes are cut. */
export async function* inSongBatches(
  songs: AsyncIterable<Song>,
  limits: BatchLimits,
): AsyncGenerator<SongBatch> {
  let batch: SongBatch = { songs: [], cut: 0 };
  let [bytes, tokens] = [0, 0];
  for await (const song of songs) {
    const whole = Buffer.byteLength(song.lyrics);
    const size = Math.min(whole, MAX_TEXT_BYTES);
    const estimated = estimateTokens(size, limits.maxTokens);
    const isFull =
      batch.songs.length >= limits.texts || bytes + size > limits.bytes || tokens + estimated > limits.tokens;
    if (isFull && batch.songs.length > 0) {
      yield batch;
      batch = { songs: [], cut: 0 };
      [bytes, tokens] = [0, 0];
    }
    if (whole > MAX_TEXT_BYTES) {
      batch.songs.push({ id: song.id, lyrics: cutText(song.lyrics, MAX_TEXT_BYTES) });
      batch.cut += 1;
    } else batch.songs.push(song);
    bytes += size;
    tokens += estimated;
  }
  if (batch.songs.length > 0) yield batch;
}

/** The beginning of the text with at most so many bytes of UTF-8, whole characters only. */
export function cutText(text: string, bytes: number): string {
  const encoded = Buffer.from(text);
  if (encoded.length <= bytes) return text;
  let end = bytes;
  // Bytes that continue a character are 10xxxxxx.
  while (end > 0 && ((encoded[end] as number) & 0xc0) === 0x80) end -= 1;
  return encoded.toString("utf8", 0, end);
}
