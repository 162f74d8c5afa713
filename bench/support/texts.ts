import { readFileSync } from "node:fs";
import { sharedData } from "@kindred/testing";

export interface TextSet {
  readonly texts: string[];
  /** For people: where they are from, and how many were left out. */
  readonly origin: string;
}

/**
 * Texts to measure with, each of them once: a service may answer a repeated text without running the model, and its competitors
 * do not. Those of `file` (one a line); else the sentences of ../shared/data/stsb-en-dev.csv; else made up.
 * @param limit takes the first of them only.
 */
export function loadTexts(options: { file?: string | undefined; limit?: number | undefined } = {}): TextSet {
  const { all, name } = readTexts(options.file);
  const distinct = [...new Set(all)];
  const texts = distinct.slice(0, options.limit);
  const left = texts.length === all.length ? "" : ` of ${all.length}`;
  return { texts, origin: `${texts.length} distinct${left} texts, ${name}` };
}

function readTexts(file: string | undefined): { all: string[]; name: string } {
  if (file !== undefined) {
    return { all: readFileSync(file, "utf8").split("\n").filter(Boolean), name: "from a file" };
  }
  const csv = sharedData("stsb-en-dev.csv");
  if (csv !== undefined) {
    return { all: firstFields(readFileSync(csv, "utf8"), 2), name: "STS-B dev" };
  }
  const all = Array.from(
    { length: 3000 },
    (_, i) => `Sentence ${i} tells of ${"a long walk ".repeat(1 + (i % 5))}home.`,
  );
  return { all, name: "made up" };
}

/** The first fields of each line of a CSV text (RFC 4180, without line breaks in fields). */
function firstFields(csv: string, count: number): string[] {
  const field = /(?:^|,)(?:"((?:[^"]|"")*)"|([^,]*))/g;
  return csv
    .trim()
    .split("\n")
    .flatMap((line) =>
      [...line.matchAll(field)]
        .slice(0, count)
        .map(([, quoted, plain]) => quoted?.replaceAll('""', '"') ?? plain ?? ""),
    );
}

/** A generator of numbers in [0, 1) that gives the same ones for the same seed (mulberry32), so that runs can be repeated. */
export function randomNumbers(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
