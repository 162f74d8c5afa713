import type { VectorIndex } from "../../domain/vector-index.ts";

interface IndexRow {
  name: string;
  method: string;
  operator_class: string;
  valid: boolean;
  partial: boolean;
  /** Null for an index that was dropped at this very moment. */
  size_bytes: string | null;
  options: string[] | null;
}

/** What pgvector takes where an index does not say. */
const DEFAULTS: Record<string, Record<string, string>> = {
  hnsw: { m: "16", ef_construction: "64" },
  ivfflat: { lists: "100" },
};

const VECTOR_INDEXES = `
  SELECT c.relname AS name, am.amname AS method, oc.opcname AS operator_class,
         i.indisvalid AND i.indisready AS valid, i.indpred IS NOT NULL AS partial,
         pg_relation_size(c.oid) AS size_bytes, c.reloptions AS options
    FROM pg_index i
    JOIN pg_class c ON c.oid = i.indexrelid
    JOIN pg_am am ON am.oid = c.relam
    JOIN pg_opclass oc ON oc.oid = i.indclass[0]
   WHERE i.indrelid = 'embeddings'::regclass AND am.amname IN ('hnsw', 'ivfflat')
   ORDER BY c.relname COLLATE "C"`;

/** The vector indexes of the embeddings table, by name. */
export async function vectorIndexes(db: {
  query(sql: string): Promise<{ rows: unknown[] }>;
}): Promise<VectorIndex[]> {
  const { rows } = await db.query(VECTOR_INDEXES);
  return (rows as IndexRow[]).flatMap((row): VectorIndex[] => {
    if (row.size_bytes === null) return [];
    return [
      {
        name: row.name,
        method: row.method,
        operatorClass: row.operator_class,
        valid: row.valid,
        partial: row.partial,
        sizeBytes: BigInt(row.size_bytes),
        parameters: { ...DEFAULTS[row.method], ...parseOptions(row.options ?? []) },
      },
    ];
  });
}

function parseOptions(options: readonly string[]): Record<string, string> {
  return Object.fromEntries(
    options.map((option) => {
      const equals = option.indexOf("=");
      return [option.slice(0, equals), option.slice(equals + 1)];
    }),
  );
}
