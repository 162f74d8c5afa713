import type { FaissDataset, ImageRecord } from "@kindred/faiss";
import { formatCount, formatShare, plural } from "../terminal/format.ts";
import { oneLine, renderPairs, type Pair } from "../terminal/table.ts";
import type { Terminal } from "../terminal/terminal.ts";
import type { Comparison } from "./compare.ts";
import type { Survey } from "./survey.ts";
import type { Likeness, Target } from "./target.ts";
import type { Written } from "./write-rows.ts";

/** What is known of a data set that could be opened. */
export interface DatasetReport {
  dataset: string;
  folder: string;
  index: {
    kind: string;
    dimensions: number;
    metric: string;
    vectors: number;
    has_ids: boolean;
    /** Why vectors are not exactly those that were added; empty where they are. */
    approximate: string;
  };
  metadata: { shape: string; records: number; matching: string; fields: Record<string, number> };
  vectors_to_write: number;
  images: number;
  skipped: { reason: string; count: number; ids: (number | string)[] }[];
  samples: Record<string, unknown>[];
}

/** Of `faiss migrate`. */
export interface MigrationReport extends DatasetReport {
  applied: boolean;
  complete: boolean;
  /** Empty where Kindred could not be asked in a dry run. */
  space_id: string;
  /** Why the dry run could not be compared with Kindred; empty otherwise. */
  unchecked: string;
  /** Cosine of vectors to what the served model makes of their descriptions; null where nothing was compared. */
  description_cosine: number | null;
  resumed_after: number;
  images_added: number;
  images_existing: number;
  embeddings_added: number;
  embeddings_existing: number;
  neighbours: {
    queries: number;
    k: number;
    metric: string;
    mean_overlap: number;
    worst_overlap: number;
    methods: Record<string, number>;
  } | null;
  seconds: number;
}

export function datasetReport(dataset: FaissDataset, survey: Survey): DatasetReport {
  const { index, metadata } = dataset;
  return {
    dataset: dataset.name,
    folder: dataset.path,
    index: {
      kind: index.kind,
      dimensions: index.dimensions,
      metric: index.metric,
      vectors: index.count,
      has_ids: index.hasIds,
      approximate: index.approximate ?? "",
    },
    metadata: {
      shape: metadata.shape,
      records: metadata.count,
      matching: dataset.matching,
      fields: Object.fromEntries(survey.fields),
    },
    vectors_to_write: survey.writable,
    images: survey.images,
    skipped: survey.skipped.map(({ reason, count, examples }) => ({
      reason,
      count,
      ids: examples.map((id) => (Number.isSafeInteger(Number(id)) ? Number(id) : String(id))),
    })),
    samples: survey.samples.map(plainRecord),
  };
}

/** By the catalogue's names. */
function plainRecord(record: ImageRecord): Record<string, unknown> {
  return {
    image_path: record.imagePath,
    description: record.description,
    tags: record.tags,
    width: record.width ?? null,
    height: record.height ?? null,
    file_size_bytes: record.fileSizeBytes ?? null,
    format: record.format,
    source_dataset: record.sourceDataset,
    other: record.other,
  };
}

export function migrationReport(
  dataset: FaissDataset,
  survey: Survey,
  facts: {
    applied: boolean;
    complete: boolean;
    target: Target | undefined;
    unchecked: string;
    likeness: Likeness | undefined;
    resumedAfter: number;
    written: Written;
    comparison: Comparison | undefined;
    seconds: number;
  },
): MigrationReport {
  const { written, comparison, likeness } = facts;
  return {
    ...datasetReport(dataset, survey),
    applied: facts.applied,
    complete: facts.complete,
    space_id: facts.target?.spaceId ?? "",
    unchecked: facts.unchecked,
    description_cosine: likeness ? Number(likeness.cosine.toFixed(4)) : null,
    resumed_after: facts.resumedAfter,
    images_added: written.imagesAdded,
    images_existing: written.imagesExisting,
    embeddings_added: written.embeddingsAdded,
    embeddings_existing: written.embeddingsExisting,
    neighbours: comparison
      ? {
          queries: comparison.queries,
          k: comparison.k,
          metric: comparison.metric,
          mean_overlap: comparison.mean,
          worst_overlap: comparison.worst,
          methods: Object.fromEntries(comparison.methods),
        }
      : null,
    seconds: Number(facts.seconds.toFixed(3)),
  };
}

export function renderDataset(terminal: Terminal, report: DatasetReport): string {
  const { index, metadata } = report;
  const pairs: Pair[] = [
    ["data set", report.dataset],
    [
      "index",
      `${index.kind}, ${plural(index.vectors, "vector")} of ${index.dimensions} dimensions, ${index.metric}`,
    ],
    ...(index.approximate === ""
      ? []
      : [["approximate", index.approximate, terminal.colors.yellow] satisfies Pair]),
    ["metadata", `${metadata.shape}, ${plural(metadata.records, "record")}, ${metadata.matching}`],
    ["fields", fieldsLine(metadata.fields, metadata.records)],
    ["to write", `${plural(report.vectors_to_write, "vector")} of ${plural(report.images, "image")}`],
    ["skipped", report.skipped.length === 0 ? "none" : ""],
  ];
  return [
    renderPairs(terminal, pairs),
    ...report.skipped.map(
      ({ reason, count, ids }) =>
        `   ${formatCount(count)}: ${oneLine(reason)} (id ${ids.join(", ")}${count > ids.length ? ", …" : ""})`,
    ),
    ...(report.samples.length === 0 ? [] : [terminal.colors.bold(" for example")]),
    ...report.samples.map((sample) => `   ${sampleLine(terminal, sample)}`),
  ].join("\n");
}

function fieldsLine(fields: Record<string, number>, records: number): string {
  return Object.entries(fields)
    .map(([name, count]) => (count === records ? name : `${name} (${formatCount(count)})`))
    .join(", ");
}

function sampleLine({ colors }: Terminal, sample: Record<string, unknown>): string {
  const { image_path: path, description, width, height, format, source_dataset: from } = sample;
  const size = width === null || height === null ? "" : ` ${String(width)}x${String(height)}`;
  return `${oneLine(String(path))}  ${oneLine(String(description)).slice(0, 80)}${colors.dim(`  ${String(format)}${size}, ${oneLine(String(from))}`)}`;
}

export function renderMigration(terminal: Terminal, report: MigrationReport): string {
  const { neighbours } = report;
  const lines = [renderDataset(terminal, report)];
  if (report.space_id !== "") {
    const cosine = report.description_cosine;
    const likeness = cosine === null ? "" : ` (cosine to their embedded descriptions: ${cosine})`;
    lines.push(renderPairs(terminal, [["space", `${report.space_id}${likeness}`]]));
  }
  if (!report.applied) {
    lines.push(
      report.unchecked === ""
        ? " nothing was written: a dry run. Write it with --apply"
        : ` nothing was written, nor compared with Kindred (${report.unchecked}): a dry run. Write it with --apply`,
    );
    return lines.join("\n");
  }
  lines.push(
    ` ${plural(report.images_added, "image")} and ${plural(report.embeddings_added, "embedding")} added, ${plural(report.images_existing, "image")} and ${plural(report.embeddings_existing, "embedding")} were there already (in ${report.seconds.toFixed(1)} s)`,
  );
  if (neighbours) {
    const how = Object.entries(neighbours.methods)
      .map(([method, count]) => `${method} ${count}`)
      .join(", ");
    lines.push(
      ` neighbours: of the ${neighbours.k} nearest by FAISS's vectors, Kindred finds ${formatShare(neighbours.mean_overlap)} (worst ${formatShare(neighbours.worst_overlap)}) in ${plural(neighbours.queries, "query").replace(/querys$/, "queries")} by ${neighbours.metric}, answered: ${how}`,
    );
  }
  return lines.join("\n");
}
