import { createHash } from "node:crypto";
import type { ElementType, Metric } from "../collection.ts";
import type { Layout, TableName } from "../layout.ts";
import type { IndexMethod, IndexSpec, Quantization } from "./index-spec.ts";

/** PostgreSQL's limit of 63 bytes, less the longest suffix: `_new`, `_old`. */
const MAX_BYTES = 59;
const HASH_CHARACTERS = 8;

const NEW = "_new";
const OLD = "_old";
/** What REINDEX CONCURRENTLY calls its own (PostgreSQL: indexcmds.c); a number follows where that is taken. */
const SUFFIX = /_(?:new|old|ccnew\d*|ccold\d*)$/;

const METHODS: readonly IndexMethod[] = ["hnsw", "ivfflat", "diskann"];
const QUANTIZATIONS: readonly Quantization[] = ["none", "halfvec", "binary"];
const METRICS: readonly Metric[] = ["cosine", "l2", "inner-product", "l1", "hamming", "jaccard"];
const METRIC_PARTS: Record<Metric, string> = {
  cosine: "cosine",
  l2: "l2",
  "inner-product": "ip",
  l1: "l1",
  hamming: "hamming",
  jaccard: "jaccard",
};

type Place = Pick<Layout, "vector"> & { vectors: Pick<TableName, "name"> };

/**
 * `<vectors table>_<vector column>_<method>[_<quantization>][_<metric>]_idx`: the metric is left out where it is the usual one of the
 * element type, and of binary quantised indexes, which serve any. At most 59 bytes: longer ones are cut, and told apart by a hash.
 */
export function indexName(
  layout: Place,
  spec: Pick<IndexSpec, "method" | "quantization" | "metric">,
  elementType: ElementType,
): string {
  const usual = spec.metric === (elementType === "bit" ? "hamming" : "cosine");
  const parts = [
    layout.vectors.name,
    layout.vector.column,
    spec.method,
    ...(spec.quantization === "none" ? [] : [spec.quantization]),
    ...(usual || spec.quantization === "binary" ? [] : [METRIC_PARTS[spec.metric]]),
  ];
  return shortened(`${parts.join("_")}_idx`);
}

/** Every name that an index of the store's may have on this table when it serves searches. */
export function ownNames(layout: Place, elementType: ElementType): ReadonlySet<string> {
  return new Set(
    METHODS.flatMap((method) =>
      QUANTIZATIONS.flatMap((quantization) =>
        METRICS.map((metric) => indexName(layout, { method, quantization, metric }, elementType)),
      ),
    ),
  );
}

/** What is wrong with a name that somebody chooses; undefined for one that an index can have. */
export function indexNameProblem(name: string): string | undefined {
  if (name === "") return "must not be empty";
  if (name.includes("\0")) return "must not contain NUL characters";
  if (!name.isWellFormed()) return "must be well-formed Unicode";
  const bytes = Buffer.byteLength(name);
  if (bytes > MAX_BYTES) return `must be at most ${MAX_BYTES} bytes of UTF-8, has ${bytes}`;
  const suffix = SUFFIX.exec(name)?.[0];
  return suffix && `must not end in ${suffix}, as indexes do only while one takes the place of another`;
}

/** What it is called while it is being built. */
export const buildingName = (name: string): string => `${name}${NEW}`;

/** What the one that it replaces is called until it is dropped. */
export const retiredName = (name: string): string => `${name}${OLD}`;

/** Without what a build, a swap or a REINDEX adds to it. */
export const baseName = (name: string): string => name.replace(SUFFIX, "");

/** Whether it names something that is only there for a while. */
export const isTemporary = (name: string): boolean => SUFFIX.test(name);

/** Of the part of an index that is on the partition at `position`, beginning with 0, in the order of the partitions' names. */
export function partitionIndexName(name: string, position: number): string {
  const base = baseName(name);
  return shortened(`${base}_p${position + 1}`) + name.slice(base.length);
}

/** The first of `name`, `name_2`, … that is free. */
export function freeName(name: string, isTaken: (candidate: string) => boolean): string {
  for (let i = 1; ; i++) {
    const candidate = i === 1 ? name : shortened(`${name}_${i}`);
    if (!isTaken(candidate)) return candidate;
  }
}

/** Cut between characters, whatever their length in UTF-8. */
function shortened(name: string): string {
  if (Buffer.byteLength(name) <= MAX_BYTES) return name;
  const hash = createHash("sha256").update(name).digest("hex").slice(0, HASH_CHARACTERS);
  const tail = `_${hash}_idx`;
  let head = "";
  for (const character of name) {
    if (Buffer.byteLength(head + character) > MAX_BYTES - tail.length) break;
    head += character;
  }
  return head + tail;
}
