import type { FaissDataset, ImageRecord } from "@kindred/faiss";
import { migratedRow, type MigratedRow } from "./rows.ts";

/** What would become of a data set, without a word to Kindred. */
export interface Survey {
  vectors: number;
  /** Vectors that would be written. */
  writable: number;
  /** Images that they are of. */
  images: number;
  /** Why others would not be, the most frequent reason first. */
  skipped: Skipped[];
  /** The first records that would be written. */
  samples: ImageRecord[];
  /** Names of the records' fields, and how many have them. */
  fields: Map<string, number>;
  /** Whether every vector that would be written has the length 1: cosine, inner product and L2 then order neighbours alike. */
  isUnitLength: boolean;
  /** Rows spread over those that would be written: what to ask questions with. */
  spread: MigratedRow[];
  /** Paths of images in the first rows, spread over them: see `surveyDataset`. */
  probes: string[];
}

export interface Skipped {
  reason: string;
  count: number;
  /** Ids of the first. */
  examples: bigint[];
}

const SAMPLES = 3;
const EXAMPLES = 5;
const UNIT_TOLERANCE = 1e-3;
const PROBES = 8;

/**
 * Looks at every vector and every record once. Memory grows with the number of images' paths.
 * @param options.spread how many rows to keep for questions
 * @param options.before rows before this position give the probes
 * @throws KindredError data-loss where ids turn out not to agree, the signal's reason
 */
export async function surveyDataset(
  dataset: FaissDataset,
  options: { spread: number; before?: number; signal: AbortSignal; onRows?: (done: number) => void },
): Promise<Survey> {
  const { signal, before = 0, onRows } = options;
  const paths = new Set<string>();
  const skipped = new Map<string, Skipped>();
  const fields = new Map<string, number>();
  const survey = { vectors: 0, writable: 0, samples: [] as ImageRecord[], isUnitLength: true };
  const spread = evenly<MigratedRow>(options.spread, dataset.index.count);
  const probes = evenly<string>(PROBES, before);
  for await (const rows of dataset.rows({ signal })) {
    for (const row of rows) {
      survey.vectors += 1;
      for (const name of row.fields.keys()) fields.set(name, (fields.get(name) ?? 0) + 1);
      const migrated = migratedRow(row, dataset);
      if (typeof migrated === "string") {
        skip(skipped, migrated, row.id);
        continue;
      }
      survey.writable += 1;
      paths.add(migrated.record.imagePath);
      if (survey.samples.length < SAMPLES) survey.samples.push(migrated.record);
      survey.isUnitLength &&= Math.abs(lengthOf(row.vector) - 1) < UNIT_TOLERANCE;
      spread.offer(row.position, () => ({ ...migrated, vector: migrated.vector.slice() }));
      if (row.position < before) probes.offer(row.position, () => migrated.record.imagePath);
    }
    onRows?.(survey.vectors);
  }
  return {
    ...survey,
    images: paths.size,
    skipped: [...skipped.values()].toSorted((one, other) => other.count - one.count),
    fields,
    spread: spread.taken,
    probes: probes.taken,
  };
}

function skip(skipped: Map<string, Skipped>, reason: string, id: bigint): void {
  const entry = skipped.get(reason) ?? { reason, count: 0, examples: [] };
  skipped.set(reason, entry);
  entry.count += 1;
  if (entry.examples.length < EXAMPLES) entry.examples.push(id);
}

/** Takes about `count` of things that come by ascending position below `total`: of each part of them the first. */
function evenly<T>(
  count: number,
  total: number,
): { taken: T[]; offer(position: number, thing: () => T): void } {
  const taken: T[] = [];
  let next = 0;
  return {
    taken,
    offer: (position, thing) => {
      if (position < next || taken.length >= count) return;
      taken.push(thing());
      next = Math.max(
        position + 1,
        Math.ceil(((Math.floor((position * count) / total) + 1) * total) / count),
      );
    },
  };
}

function lengthOf(vector: Float32Array): number {
  let sum = 0;
  for (const value of vector) sum += value * value;
  return Math.sqrt(sum);
}
