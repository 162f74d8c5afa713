import { timestampDate, type Timestamp } from "@bufbuild/protobuf/wkt";
import { OutputState, type Generation, type OutputFile } from "@kindred/contracts/generation-tracking/v1";
import { formatBytes, formatMs } from "../terminal/format.ts";
import { renderPairs, renderTable, type Pair } from "../terminal/table.ts";
import type { Terminal } from "../terminal/terminal.ts";
import { statusName } from "./status.ts";

/** A line each. */
export function renderGenerations(terminal: Terminal, generations: readonly Generation[]): string {
  return renderTable(
    terminal,
    [
      { title: "id", align: "right" },
      { title: "when" },
      { title: "status" },
      { title: "time", align: "right" },
      { title: "examples", align: "right" },
      { title: "prompt", shrinks: true },
    ],
    generations.map((generation) => [
      String(generation.id),
      timeText(generation.createdAt),
      statusName(generation.status),
      generation.generationTimeMs === undefined ? "" : formatMs(generation.generationTimeMs),
      String(generation.retrievedExamples.length),
      generation.prompt,
    ]),
  );
}

/** Everything that is known of one. */
export function renderGeneration(terminal: Terminal, generation: Generation): string {
  const { width, height, progress, retrieval, parentId } = generation;
  const optional: [string, string | undefined][] = [
    ["progress", progress && progressText(generation)],
    ["lease until", timeText(generation.leaseExpiresAt) || undefined],
    ["took", generation.generationTimeMs === undefined ? undefined : formatMs(generation.generationTimeMs)],
    ["memory", generation.memoryUsageMb === undefined ? undefined : `${generation.memoryUsageMb} MiB`],
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
