import { durationMs } from "@bufbuild/protobuf/wkt";
import { EmbeddingSpaceSchema } from "@kindred/contracts/common/v1";
import type { EmbedTimings } from "@kindred/contracts/embedding/v1";
import { toPlain } from "../plain.ts";
import { formatCount, formatMs, plural } from "../terminal/format.ts";
import { renderPairs, renderTable } from "../terminal/table.ts";
import type { Terminal } from "../terminal/terminal.ts";
import type { Embedded } from "./embed-call.ts";
import { vectorJson } from "./vector-json.ts";

const SHOWN_COMPONENTS = 5;

/** What came of a few texts, for people: the vectors' beginnings, and how near the texts are to the first one. */
export function renderEmbedded(
  terminal: Terminal,
  texts: readonly string[],
  embedded: Embedded,
  elapsedMs: number,
): string {
  const { space, tokenCounts, truncated } = embedded;
  const vectors = rowsOf(embedded);
  const head = renderPairs(terminal, [
    ["model", space.model],
    ["space", space.id],
    ["dimensions", formatCount(space.dimensions)],
  ]);
  const rows = texts.map((text, i) => {
    const vector = vectors[i] as Float32Array;
    const tokens = tokenCounts[i] === undefined ? "?" : formatCount(tokenCounts[i]);
    return [
      String(i + 1),
      truncated[i] ? `${tokens} (cut)` : tokens,
      lengthOf(vector).toFixed(4),
      ...(texts.length > 1 ? [cosine(vectors[0] as Float32Array, vector).toFixed(4)] : []),
      `${Array.from(vector.subarray(0, SHOWN_COMPONENTS), signed).join(" ")} …`,
      text,
    ];
  });
  const table = renderTable(
    terminal,
    [
      { title: "#", align: "right" },
      { title: "tokens", align: "right" },
      { title: "length", align: "right" },
      ...(texts.length > 1 ? [{ title: "cosine to 1", align: "right" as const }] : []),
      { title: "vector" },
      { title: "text", shrinks: true },
    ],
    rows,
  );
  return `${head}\n\n${table}\n ${terminal.colors.dim(footOf(texts.length, embedded, elapsedMs))}`;
}

/** With its sign, so that columns of components stand below each other. */
function signed(value: number): string {
  return `${value < 0 ? "" : "+"}${value.toFixed(4)}`;
}

function footOf(texts: number, { totalTokens, cachedTexts, timings }: Embedded, elapsedMs: number): string {
  const spent = timings ? ` (${describeTimings(timings)})` : "";
  return [
    plural(texts, "text"),
    plural(totalTokens, "token"),
    `${formatMs(elapsedMs)}${spent}`,
    ...(cachedTexts > 0 ? [`${formatCount(cachedTexts)} from the cache of recent vectors`] : []),
  ].join(" · ");
}

function describeTimings(timings: EmbedTimings): string {
  return [
    ["queue", timings.queue] as const,
    ["tokenise", timings.tokenize] as const,
    ["inference", timings.inference] as const,
  ]
    .flatMap(([name, time]) => (time ? [`${name} ${formatMs(durationMs(time))}`] : []))
    .join(", ");
}

/** The same for programs, with every component: one object, in one line. */
export function embeddedJson(texts: readonly string[], embedded: Embedded): string {
  const { space, tokenCounts, truncated, totalTokens, cachedTexts } = embedded;
  const head = JSON.stringify({
    space: toPlain(EmbeddingSpaceSchema, space),
    total_tokens: totalTokens,
    cached_texts: cachedTexts,
  });
  const results = rowsOf(embedded).map((vector, i) => {
    const known = JSON.stringify({ text: texts[i], token_count: tokenCounts[i], truncated: truncated[i] });
    return `${known.slice(0, -1)},"vector":${vectorJson(vector)}}`;
  });
  return `${head.slice(0, -1)},"results":[${results.join(",")}]}`;
}

function rowsOf({ vectors, space: { dimensions } }: Embedded): Float32Array[] {
  return Array.from({ length: vectors.length / dimensions }, (_, i) =>
    vectors.subarray(i * dimensions, (i + 1) * dimensions),
  );
}

function dot(a: Float32Array, b: Float32Array): number {
  let sum = 0;
  for (const [i, x] of a.entries()) sum += x * (b[i] as number);
  return sum;
}

function lengthOf(vector: Float32Array): number {
  return Math.sqrt(dot(vector, vector));
}

/** 0 where one of them is. */
function cosine(a: Float32Array, b: Float32Array): number {
  const lengths = lengthOf(a) * lengthOf(b);
  return lengths === 0 ? 0 : dot(a, b) / lengths;
}
