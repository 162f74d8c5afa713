import { timestampDate, type Timestamp } from "@bufbuild/protobuf/wkt";
import { OutputState, type Generation, type OutputFile } from "@kindred/contracts/generation-tracking/v1";
import { formatBytes, formatMib, formatMs } from "../terminal/format.ts";
import { oneLine, renderPairs, renderTable, shorten, type Column, type Pair } from "../terminal/table.ts";
import type { Terminal } from "../terminal/terminal.ts";
import { statusName } from "./status.ts";

interface ListColumn extends Column {
  of: (generation: Generation) => string;
  /** Columns that the terminal has to have before it is shown. */
  from?: number;
}

const LIST_COLUMNS: readonly ListColumn[] = [
  { title: "id", align: "right", of: ({ id }) => String(id) },
  { title: "when", of: ({ createdAt }) => timeText(createdAt) },
  { title: "status", of: ({ status }) => statusName(status) },
  { title: "time", align: "right", of: ({ generationTimeMs: ms }) => (ms === undefined ? "" : formatMs(ms)) },
  { title: "memory", align: "right", from: 120, of: memoryText },
  { title: "model", from: 100, of: ({ modelName }) => shorten(oneLine(modelName), MODEL_WIDTH) },
  { title: "rating", align: "right", from: 120, of: ({ rating }) => rating?.toString() ?? "" },
  { title: "examples", align: "right", from: 120, of: (it) => String(it.retrievedExamples.length) },
  { title: "prompt", shrinks: true, of: ({ prompt }) => prompt },
];

const MODEL_WIDTH = 20;

/** A line each, with what they are sorted by, and as much else as the terminal has room for. */
export function renderGenerations(
  terminal: Terminal,
  generations: readonly Generation[],
  sortedBy = "created",
): string {
  const { width = Infinity } = terminal;
  const columns = LIST_COLUMNS.filter(({ title, from = 0 }) => width >= from || title === sortedBy);
  return renderTable(
    terminal,
    columns,
    generations.map((generation) => columns.map(({ of }) => of(generation))),
  );
}

/** Everything that is known of one. */
export function renderGeneration(terminal: Terminal, generation: Generation): string {
  const { width, height, progress, retrieval, parentId } = generation;
  const optional: [string, string | undefined][] = [
    ["progress", progress && progressText(generation)],
    ["lease until", timeText(generation.leaseExpiresAt) || undefined],
    ["took", generation.generationTimeMs === undefined ? undefined : formatMs(generation.generationTimeMs)],
    ["memory", memoryText(generation) || undefined],
    ["error", generation.errorMessage || undefined],
    ["augmented", generation.augmentedPrompt || undefined],
    ["without", generation.negativePrompt || undefined],
    ["model", [generation.modelName, generation.modelHash].filter(Boolean).join(" ") || undefined],
    ["sampler", generation.sampler || undefined],
    ["size", width === undefined && height === undefined ? undefined : `${width ?? "?"} x ${height ?? "?"}`],
    ["seed", generation.seed?.toString()],
    ["steps", generation.numInferenceSteps?.toString()],
    ["guidance", generation.guidanceScale?.toString()],
    ["batch", generation.batchId || undefined],
    ["varies", parentId === undefined ? undefined : `generation ${parentId}`],
    ["session", generation.sessionId || undefined],
    ["labels", generation.labels.join(", ") || undefined],
    ["rating", generation.rating?.toString()],
    ["outputs", generation.outputs.map(outputText).join(", ") || undefined],
    ["examples", generation.retrievedExamples.map((example) => example.imagePath).join(", ") || undefined],
    [
      "retrieved",
      retrieval && [`k ${retrieval.k}`, retrieval.method, retrieval.spaceId].filter(Boolean).join(", "),
    ],
  ];
  return renderPairs(terminal, [
    ["id", String(generation.id)],
    ["recorded", timeText(generation.createdAt)],
    ["prompt", generation.prompt],
    ["status", statusName(generation.status)],
    ...optional.flatMap(([name, value]): Pair[] => (value === undefined ? [] : [[name, value]])),
  ]);
}

function memoryText({ memoryUsageMb: mib }: Generation): string {
  return mib === undefined ? "" : formatMib(mib);
}

/** Local time, to the second; empty without one. */
export function timeText(time: Timestamp | undefined): string {
  return time ? timestampDate(time).toLocaleString("sv-SE") : "";
}

/** E.g. "12 of 30 (denoising)"; empty before the first report. */
export function progressText({ progress }: Pick<Generation, "progress">): string {
  if (!progress) return "";
  const { done, total, message } = progress;
  return `${done}${total > 0 ? ` of ${total}` : ""}${message === "" ? "" : ` (${message})`}`;
}

const OUTPUT_STATES: Record<number, string> = {
  [OutputState.KEPT]: "kept",
  [OutputState.MISSING]: "missing",
  [OutputState.CHANGED]: "changed",
};

function outputText({ path, sizeBytes, state }: OutputFile): string {
  const known = [sizeBytes === undefined ? undefined : formatBytes(Number(sizeBytes)), OUTPUT_STATES[state]];
  const facts = known.filter((fact) => fact !== undefined).join(", ");
  return facts === "" ? path : `${path} (${facts})`;
}
