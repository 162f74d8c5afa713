import { KindredError } from "@kindred/errors";

const BATCH_ROWS = 1_000;
/** Characters of a batch: lyrics may be of any length. */
const BATCH_CHARACTERS = 4 * 2 ** 20;
/** What stands between words, of any script; a text of nothing else has no lyrics. */
const HAS_LYRICS = /\S/;

/** Songs by ascending id, column by column. */
export interface SongRows {
  ids: bigint[];
  names: (string | null)[];
  artists: (string | null)[];
  lyrics: string[];
  /** Characters of all texts. */
  characters: number;
  /** Songs among them that have no lyrics, and are left out. */
  skipped: number;
  /** Of the last row that was looked at, left out or not; undefined when there was none. */
  lastId: bigint | undefined;
}

const empty = (): SongRows => ({
  ids: [],
  names: [],
  artists: [],
  lyrics: [],
  characters: 0,
  skipped: 0,
  lastId: undefined,
});

/** Makes batches of rows, leaves out songs without lyrics, and sees to it that ids ascend. */
export class SongBatcher {
  #batch = empty();
  #lastId: bigint | undefined;

  /** @param after the id before the first one */
  constructor(after: bigint | undefined) {
    this.#lastId = after;
  }

  get isFull(): boolean {
    return this.#batch.ids.length >= BATCH_ROWS || this.#batch.characters >= BATCH_CHARACTERS;
  }

  /** @throws KindredError invalid-argument for a row without id, and for an id that comes twice */
  add(id: bigint | undefined, name: string | null, artist: string | null, lyrics: string | null): void {
    if (id === undefined) {
      throw new KindredError(
        "invalid-argument",
        `a song behind id ${this.#lastId ?? "none"} has no id; leave such rows out by a --query`,
      );
    }
    if (this.#lastId !== undefined && id <= this.#lastId) {
      throw new KindredError(
        "invalid-argument",
        `id ${id} comes twice; ids of songs have to be unique: name another --id-column, or leave one out by a --query`,
      );
    }
    this.#lastId = id;
    const batch = this.#batch;
    batch.lastId = id;
    if (lyrics === null || !HAS_LYRICS.test(lyrics)) {
      batch.skipped += 1;
      return;
    }
    batch.ids.push(id);
    batch.names.push(name);
    batch.artists.push(artist);
    batch.lyrics.push(lyrics);
    batch.characters += lyrics.length + (name?.length ?? 0) + (artist?.length ?? 0);
  }

  /** What there is, which may be nothing. */
  take(): SongRows {
    const batch = this.#batch;
    this.#batch = empty();
    return batch;
  }
}
