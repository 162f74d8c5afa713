// Songs (id, name, artist, 2 KB of lyrics) written to Parquet with zstd and read back by several libraries: seconds, peak memory, size.
//   node bench/parquet.ts [--rows 200000] [--rounds 3] [--group-rows 8192] [--versus FOLDER]     others: npm install --prefix bench/versus
// See bench/README.md, and docs/adr/0027-parquet.md for what follows.
import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { parseArgs, promisify } from "node:util";
import { median } from "./statistics.ts";
import { INSTALL_VERSUS } from "./support/competitors.ts";
import type { ParquetRun } from "./support/parquet-process.ts";

const { values: options } = parseArgs({
  options: {
    rows: { type: "string", default: "200000" },
    rounds: { type: "string", default: "3" },
    "group-rows": { type: "string", default: "8192" },
    versus: { type: "string", default: fileURLToPath(new URL("versus", import.meta.url)) },
  },
});
const PACKAGES = ["parquet-wasm", "@duckdb/node-api", "nodejs-polars"];
const rows = Number(options.rows);
const versus = resolve(options.versus);
const script = fileURLToPath(new URL("support/parquet-process.ts", import.meta.url));
const isThere = (name: string): boolean => existsSync(join(versus, "node_modules", name));
const others = PACKAGES.filter(isThere);
for (const name of PACKAGES.filter((other) => !isThere(other)))
  console.log(`${name} skipped: ${INSTALL_VERSUS}`);

const folder = await mkdtemp(join(tmpdir(), "kindred-parquet-"));
const fileOf = (library: string): string => join(folder, `${library.replaceAll(/\W/g, "-")}.parquet`);

async function runOf(library: string, what: "write" | "read", file = fileOf(library)): Promise<ParquetRun> {
  const { stdout } = await promisify(execFile)(process.execPath, [
    "--disable-warning=ExperimentalWarning",
    script,
    `--library=${library}`,
    `--file=${file}`,
    `--versus=${pathToFileURL(join(versus, "parquet.mjs")).href}`,
    `--rows=${options.rows}`,
    `--group-rows=${options["group-rows"]}`,
    ...(what === "read" ? ["--read"] : []),
  ]);
  return JSON.parse(stdout) as ParquetRun;
}

const libraries = ["kindred", ...others];
const runs = new Map<string, { write: ParquetRun[]; read: ParquetRun[]; crosswise: ParquetRun[] }>(
  libraries.map((name) => [name, { write: [], read: [], crosswise: [] }]),
);
const alone: ParquetRun[] = [];
try {
  for (let round = 0; round < Number(options.rounds); round++) {
    alone.push(await runOf("rows alone", "write"));
    for (const name of round % 2 === 0 ? libraries : libraries.toReversed()) {
      const of = runs.get(name);
      of?.write.push(await runOf(name, "write"));
      of?.read.push(await runOf(name, "read"));
      // Ours by them and theirs by us: that what is read is the same shows that each reads the other's.
      if (name === "kindred") continue;
      of?.crosswise.push(
        await runOf(name, "read", fileOf("kindred")),
        await runOf("kindred", "read", fileOf(name)),
      );
    }
  }
} finally {
  await rm(folder, { recursive: true, force: true });
}

const seen = new Set(
  [...runs.values()].flatMap(({ read, crosswise }) => [...read, ...crosswise].map((run) => run.seen)),
);
if (seen.size !== 1) throw new Error(`the libraries do not read the same: ${[...seen].join(", ")}`);

console.log(
  `${rows} songs, ${options["group-rows"]} a row group at most, medians of ${options.rounds} rounds, each run a process; ` +
    `making the rows takes ${median(alone.map((run) => run.seconds)).toFixed(2)} s of each "write"`,
);
console.table(
  libraries.map((library) => {
    const { write, read } = runs.get(library) as { write: ParquetRun[]; read: ParquetRun[] };
    const of = (all: ParquetRun[], value: (run: ParquetRun) => number): number => median(all.map(value));
    return {
      library,
      "write s": of(write, (run) => run.seconds).toFixed(2),
      "write CPU s": of(write, (run) => run.cpuSeconds).toFixed(2),
      "write peak MiB": of(write, (run) => run.peakMib).toFixed(0),
      "read s": of(read, (run) => run.seconds).toFixed(2),
      "read CPU s": of(read, (run) => run.cpuSeconds).toFixed(2),
      "read peak MiB": of(read, (run) => run.peakMib).toFixed(0),
      "file MiB": (of(write, (run) => run.fileBytes) / 2 ** 20).toFixed(1),
    };
  }),
);
