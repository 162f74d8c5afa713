// One run of one Parquet library in a process of its own, so that its peak memory is nobody else's. Started by bench/parquet.ts;
// prints a ParquetRun as JSON.
import { stat } from "node:fs/promises";
import { parseArgs } from "node:util";
import { createParquetFile, openParquetFile } from "@kindred/parquet";
import { randomNumbers } from "./texts.ts";

export interface ParquetRun {
  seconds: number;
  /** Of all threads. */
  cpuSeconds: number;
  peakMib: number;
  fileBytes: number;
  /** Sum of the ids and of the lengths of the lyrics: the same for every library. */
  seen: string;
}

interface SongBatch {
  ids: BigInt64Array;
  names: string[];
  artists: string[];
  lyrics: string[];
}

interface ParquetLibrary {
  write(file: string, batches: Iterable<SongBatch>, groupRows: number): Promise<void>;
  read(file: string, see: (id: bigint, lyrics: string) => void): Promise<void>;
}

const BATCH_ROWS = 4096;
const LYRICS_CHARACTERS = 2000;
const ARTISTS = 20_000;

const kindred: ParquetLibrary = {
  async write(file, batches, groupRows) {
    await using writer = await createParquetFile(file, {
      columns: [
        { name: "id", type: "int64", nullable: false },
        { name: "name", type: "string", nullable: false },
        { name: "artist", type: "string", nullable: false },
        { name: "lyrics", type: "string", nullable: false },
      ],
      rowGroupRows: groupRows,
    });
    for (const { ids, names, artists, lyrics } of batches)
      await writer.append({ rows: ids.length, columns: { id: ids, name: names, artist: artists, lyrics } });
    await writer.finish();
  },
  async read(file, see) {
    await using reader = await openParquetFile(file);
    for await (const { rows, columns } of reader.batches({ columns: ["id", "lyrics"] })) {
      const [ids, lyrics] = [columns["id"] as ArrayLike<bigint>, columns["lyrics"] as ArrayLike<string>];
      for (let row = 0; row < rows; row++) see(ids[row] as bigint, lyrics[row] as string);
    }
  },
};

/** What the rows cost alone. */
const nothing: ParquetLibrary = {
  async write(_file, batches) {
    for (const { lyrics } of batches) lyrics.forEach((text) => Buffer.byteLength(text));
  },
  async read() {},
};

/** Words of a vocabulary whose frequencies fall as in a language; every song's lyrics differ. */
function* songs(rows: number): Generator<SongBatch> {
  const random = randomNumbers(7);
  const vocabulary = Array.from({ length: 5000 }, () => Math.floor(random() * 36 ** 5).toString(36));
  const word = (): string => vocabulary[Math.floor(vocabulary.length * random() ** 3)] as string;
  let text = "";
  while (text.length < 4_000_000) text += `${word()} `;
  for (let first = 0; first < rows; first += BATCH_ROWS) {
    const length = Math.min(BATCH_ROWS, rows - first);
    const each = <T>(make: (id: number) => T): T[] => Array.from({ length }, (_, i) => make(first + i));
    yield {
      ids: BigInt64Array.from({ length }, (_, i) => BigInt(first + i)),
      names: each((id) => `Song ${id} of ${word()}`),
      artists: each(() => `Artist ${Math.floor(random() * ARTISTS)}`),
      lyrics: each((id) => {
        const from = Math.floor(random() * (text.length - LYRICS_CHARACTERS));
        return `${id} ${text.slice(from, from + LYRICS_CHARACTERS)}`;
      }),
    };
  }
}

async function libraryOf(name: string, versus: string): Promise<ParquetLibrary> {
  if (name === "kindred") return kindred;
  if (name === "rows alone") return nothing;
  const { libraries } = (await import(versus)) as {
    libraries: Record<string, () => Promise<ParquetLibrary>>;
  };
  const open = libraries[name];
  if (open === undefined) throw new Error(`${versus} knows no ${name}`);
  return await open();
}

const { values } = parseArgs({
  options: {
    library: { type: "string", default: "kindred" },
    versus: { type: "string", default: "" },
    file: { type: "string", default: "" },
    read: { type: "boolean", default: false },
    rows: { type: "string", default: "0" },
    "group-rows": { type: "string", default: "0" },
  },
});
const library = await libraryOf(values.library, values.versus);
let ids = 0n;
let characters = 0;
const cpuBefore = process.cpuUsage();
const startedAt = performance.now();
if (values.read) {
  await library.read(values.file, (id, lyrics) => {
    ids += id;
    characters += lyrics.length;
  });
} else await library.write(values.file, songs(Number(values.rows)), Number(values["group-rows"]));
const cpu = process.cpuUsage(cpuBefore);
const seconds = (performance.now() - startedAt) / 1000;
const fileBytes = await stat(values.file).then(
  ({ size }) => size,
  () => 0,
);
const run: ParquetRun = {
  seconds,
  cpuSeconds: (cpu.user + cpu.system) / 1e6,
  peakMib: process.resourceUsage().maxRSS / 1024,
  fileBytes,
  seen: `${ids}/${characters}`,
};
console.log(JSON.stringify(run));
