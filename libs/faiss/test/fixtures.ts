import { readdirSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

const FOLDER = fileURLToPath(new URL("fixtures/", import.meta.url));

/** What FAISS itself says is in an index; make-fixtures.py wrote both. */
export interface Expected {
  dimensions: number;
  count: number;
  metric: string;
  /** By position; null where they are the positions. */
  ids: string[] | null;
  vectors: Float32Array;
}

export interface Fixture {
  path: string;
  expected: Expected;
}

/** Index files by name, without their extension, and what is in them. */
export const FIXTURES: ReadonlyMap<string, Fixture> = readExpected();

/** Index files of kinds that are not read, by name, and their class in FAISS. */
export const REFUSED: ReadonlyMap<string, { path: string; className: string }> = new Map(
  Object.entries(json<Record<string, string>>("refused/refused.json")).map(([file, className]) => [
    file.replace(".bin", ""),
    { path: `${FOLDER}refused/${file}`, className },
  ]),
);

/** Paths of all index files. */
export function allFiles(): string[] {
  return ["", "refused/"].flatMap((folder) =>
    readdirSync(FOLDER + folder)
      .filter((name) => name.endsWith(".bin"))
      .map((name) => FOLDER + folder + name),
  );
}

/** The file of a fixture. */
export function fixture(name: string): string {
  return `${FOLDER}${name}.bin`;
}

function readExpected(): Map<string, Fixture> {
  const files = json<Record<string, Omit<Expected, "vectors"> & { vectors: string }>>("expected.json");
  return new Map(
    Object.entries(files).map(([file, { vectors, ...expected }]) => {
      const bytes = new Uint8Array(Buffer.from(vectors, "base64"));
      return [
        file.replace(".bin", ""),
        { path: FOLDER + file, expected: { ...expected, vectors: new Float32Array(bytes.buffer) } },
      ];
    }),
  );
}

function json<T>(name: string): T {
  return JSON.parse(readFileSync(FOLDER + name, "utf8")) as T;
}
