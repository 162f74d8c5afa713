import { join } from "node:path";
import { KindredError } from "@kindred/errors";
import { createParquetFile } from "@kindred/parquet";
import { SONG_COLUMNS } from "./manifest.ts";
import type { Song } from "./pending-songs.ts";

export const DIMENSIONS = 3;
export const SHAPE = { spaceId: "test:songs@1:3:mean:l2:64", dimensions: DIMENSIONS };

/** So many songs with ids from `first` on, every `step`-th number. */
export function songsOf(count: number, { first = 1, step = 1 } = {}): Song[] {
  return Array.from({ length: count }, (_, i) => {
    const id = BigInt(first + i * step);
    return { id, lyrics: `la la ${id}` };
  });
}

/** A file of songs as `kindred songs cache` writes them. */
export async function writeSongs(folder: string, name: string, songs: readonly Song[]): Promise<string> {
  const path = join(folder, name);
  await using file = await createParquetFile(path, { columns: SONG_COLUMNS, rowGroupRows: 100 });
  await file.append({
    rows: songs.length,
    columns: {
      id: songs.map(({ id }) => id),
      name: songs.map(({ id }) => `Song ${id}`),
      artist: songs.map(() => null),
      lyrics: songs.map(({ lyrics }) => lyrics),
    },
  });
  await file.finish();
  return path;
}

/** Follows from the text, differs from text to text, exact in float32. */
export function vectorOf(text: string): number[] {
  const sum = [...text].reduce((total, character) => total + (character.codePointAt(0) ?? 0), 0);
  return [text.length, sum % 8_191, 1];
}

export function vectorsOf(texts: readonly string[]): Float32Array {
  return Float32Array.from(texts.flatMap(vectorOf));
}

/** A provider's refusal of some of the texts, as the embedding service tells of it. */
export function refusal(field: string, description = "is refused by the provider: too long"): KindredError {
  return new KindredError("invalid-argument", `${field} ${description}`, {
    violations: [{ field, description }],
  });
}
