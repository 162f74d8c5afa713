import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { Client } from "pg";
import { from as copyFrom } from "pg-copy-streams";
import { randomNumbers } from "./texts.ts";

export interface SongSourceOptions {
  readonly songs: number;
  /** The same seed gives the same songs. */
  readonly seed?: number;
  /** Of each song's lyrics, about. */
  readonly lyricsBytes?: number;
}

const SYLLABLES =
  "ba be bo da de do fa fi ga go ha hey ka la li lo ma me mi mo na no oh ra re ri ro sa se so ta te to wa we ya yo".split(
    " ",
  );
const WORDS = 6_000;
const LINES = 20_000;
const WORDS_IN_LINE = 7;
/** One song in so many has no lyrics. */
const INSTRUMENTAL_EVERY = 500;
const ROWS_OF_A_PART = 500;

/** A table `songs` (id, name, artist, lyrics) that is made anew. @returns songs that have lyrics */
export async function makeSongs(url: string, options: SongSourceOptions): Promise<number> {
  const client = new Client({ connectionString: url });
  await client.connect();
  try {
    await client.query("DROP TABLE IF EXISTS songs");
    await client.query("CREATE TABLE songs (id integer PRIMARY KEY, name text, artist text, lyrics text)");
    const into = client.query(copyFrom("COPY songs FROM STDIN"));
    await pipeline(Readable.from(songLines(options), { objectMode: true, highWaterMark: 4 }), into);
    await client.query("VACUUM ANALYZE songs");
    return options.songs - Math.floor(options.songs / INSTRUMENTAL_EVERY);
  } finally {
    await client.end();
  }
}

/**
 * Rows of COPY's text format. A song is lines drawn from some thousands, with a chorus that comes again, and its number, so that no two are
 * the same; lines are words whose frequencies fall as their rank grows (Zipf), as those of a language do.
 */
export function* songLines({ songs, seed = 1, lyricsBytes = 2_000 }: SongSourceOptions): Generator<Buffer> {
  const random = randomNumbers(seed);
  const below = (count: number): number => Math.floor(random() * count);
  const words = Array.from({ length: WORDS }, () =>
    Array.from({ length: 1 + below(3) }, () => SYLLABLES[below(SYLLABLES.length)] as string).join(""),
  );
  const word = (): string => words[Math.floor(WORDS ** random()) - 1] as string;
  const lines = Array.from({ length: LINES }, () => Array.from({ length: WORDS_IN_LINE }, word).join(" "));
  const line = (): string => lines[below(LINES)] as string;
  for (let first = 1; first <= songs; first += ROWS_OF_A_PART) {
    let part = "";
    for (let id = first; id < Math.min(first + ROWS_OF_A_PART, songs + 1); id += 1) {
      const lyrics =
        id % INSTRUMENTAL_EVERY === 0 ? "\\N" : lyricsOf(id, lyricsBytes * (0.6 + 0.8 * random()), line);
      part += `${id}\t${line().slice(0, 24)}\tArtist ${below(50_000)}\t${lyrics}\n`;
    }
    yield Buffer.from(part);
  }
}

/** `\n` in COPY's text format is two characters. */
function lyricsOf(id: number, bytes: number, line: () => string): string {
  const chorus = [line(), line(), line()].join("\\n");
  const parts = [`song ${id}`];
  let length = 0;
  while (length < bytes) {
    const verse = [line(), line(), line(), line(), chorus].join("\\n");
    parts.push(verse);
    length += verse.length;
  }
  return parts.join("\\n\\n");
}
