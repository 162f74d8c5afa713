import type { Metric, NearestQuery, SearchFilter } from "../../domain/search-query.ts";
import { vectorParameter } from "./vector-parameters.ts";

/** As pgvector defines them. */
const OPERATORS: Record<Metric, string> = { cosine: "<=>", l2: "<->", "inner-product": "<#>", l1: "<+>" };

export interface Statement {
  text: string;
  values: unknown[];
}

/** `$n` for a value. */
type Parameter = (value: unknown) => string;

function startStatement(): { values: unknown[]; parameter: Parameter } {
  const values: unknown[] = [];
  return { values, parameter: (value) => `$${values.push(value)}` };
}

function conditions(filter: SearchFilter, parameter: Parameter): string[] {
  const found: string[] = [];
  if (filter.modelType !== "") found.push(`e.model_type = ${parameter(filter.modelType)}`);
  if (filter.embeddingType !== "") found.push(`e.embedding_type = ${parameter(filter.embeddingType)}`);
  if (filter.sourceDataset !== "") {
    const dataset = parameter(filter.sourceDataset);
    found.push(`EXISTS (SELECT 1 FROM images f WHERE f.id = e.image_id AND f.source_dataset = ${dataset})`);
  }
  return found;
}

const where = (found: readonly string[]): string =>
  found.length === 0 ? "" : `WHERE ${found.join(" AND ")}`;

/**
 * The nearest embeddings first, as many as the candidate limit; of those the nearest of each image; of those the k
 * nearest. When the limit did not cut the candidates short, or k images came of them, that is exactly the k nearest
 * images: every image's nearest embedding comes before all its others.
 *
 * An exact scan adds 0 to the distance, which no index can order by. An index scan orders by the bare operator; `scanSettings`
 * leave the planner no other way to do that.
 */
export function searchStatement(query: NearestQuery): Statement {
  const { values, parameter } = startStatement();
  const operator = `e.embedding ${OPERATORS[query.metric]} ${parameter(vectorParameter(query.vector))}::vector`;
  const found = conditions(query.filter, parameter);
  if (query.excludedImage !== undefined)
    found.push(`e.image_id <> ${parameter(String(query.excludedImage))}`);
  const exact = query.scan.method === "exact";
  const distance = exact ? `(${operator}) + 0` : operator;
  const order = exact ? "distance, e.image_id, e.id" : operator;
  const nearest = query.hitPerEmbedding
    ? "SELECT * FROM candidates"
    : "SELECT DISTINCT ON (image_id) * FROM candidates ORDER BY image_id, distance, id";
  const text = `
    WITH candidates AS MATERIALIZED (
      SELECT e.id, e.image_id, ${distance} AS distance FROM embeddings e ${where(found)}
       ORDER BY ${order} LIMIT ${parameter(query.candidateLimit)}
    ), nearest AS (${nearest}),
    hits AS (SELECT * FROM nearest ORDER BY distance, image_id, id LIMIT ${parameter(query.k)})
    SELECT h.id AS "embeddingId", h.distance, e.embedding_metadata AS metadata,
           (SELECT count(*) FROM candidates) AS candidates,
           i.id, i.image_path AS "imagePath", i.description, i.tags, i.width, i.height,
           i.file_size_bytes AS "fileSizeBytes", i.format, i.source_dataset AS "sourceDataset",
           i.created_at AS "createdAt",
           (SELECT count(*) FROM embeddings c WHERE c.image_id = h.image_id) AS "embeddingCount"
      FROM hits h JOIN images i ON i.id = h.image_id JOIN embeddings e ON e.id = h.id
     ORDER BY h.distance, h.image_id, h.id`;
  return { text, values };
}

/** Counts embeddings that pass the filter, up to the bound. */
export function countStatement(filter: SearchFilter, bound: number): Statement {
  const { values, parameter } = startStatement();
  const found = conditions(filter, parameter);
  const text = `
    SELECT count(*) AS count
      FROM (SELECT 1 FROM embeddings e ${where(found)} LIMIT ${parameter(bound)}) AS bounded`;
  return { text, values };
}

/**
 * Settings of the transaction that searches. Ways around the index (a sequential scan, sorting rows of another index) are closed;
 * their nominal cost would start the JIT compiler, which takes longer than any search. `iterative` is for pgvector 0.8 and newer:
 * the scan goes on until the filter has let enough rows pass. Its rows come in relaxed order, since they are sorted again anyway.
 */
export function scanSettings(
  scan: NearestQuery["scan"],
  options: { iterative: boolean },
): Record<string, string | number> {
  if (scan.method === "exact") return { jit: "off" };
  return {
    jit: "off",
    enable_seqscan: "off",
    enable_sort: "off",
    "hnsw.ef_search": scan.efSearch,
    ...(options.iterative
      ? { "hnsw.iterative_scan": "relaxed_order", "hnsw.max_scan_tuples": scan.maxScanTuples }
      : {}),
  };
}
