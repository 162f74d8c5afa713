import { repositoryTransaction, type Database } from "@kindred/postgres";
import type { PoolClient } from "pg";
import type { Generation } from "../../domain/generation.ts";
import type { GenerationStore } from "../../domain/generation-store.ts";
import type {
  CallLimits,
  GenerationOutput,
  ImageReference,
  ImageUse,
  Lineage,
  LineageStore,
  OutputFinding,
} from "../../domain/lineage/ports.ts";
import { epochMicros, type OutputJson } from "./generation-entity.ts";
import { toOutputFile } from "./generation-rows.ts";
import { instantText, sqlParameters } from "./sql-parameters.ts";

interface Deps {
  db: Database;
  /** Gives generations by their ids; within a transaction that repositoryTransaction opened, as that sees them. */
  generations: Pick<GenerationStore, "findMany">;
}

/** The store over the tables of this service's schema. The database stays the caller's. */
export function lineageStore(deps: Deps): LineageStore {
  /** Several statements of one snapshot. */
  const readAtOnce = <T>(work: (client: PoolClient) => Promise<T>, limits: CallLimits): Promise<T> =>
    repositoryTransaction(deps.db, work, { isolation: "repeatable read", readOnly: true, ...limits });
  return {
    lineage: (id, reach, limits) => readAtOnce((client) => lineageOf(client, deps, id, reach), limits),
    uses: (query, limits) => readAtOnce((client) => usesOf(client, deps, query), limits),
    outputs: (query) => outputsOf(deps.db, query),
    report: (findings) => report(deps.db, findings),
  };
}

// UNION leaves out what was reached before by as many steps; rows that lead back to themselves, which only users' own SQL makes, end with
// the depth.
const ANCESTORS = `
  WITH RECURSIVE line AS (
    SELECT id, parent_id, 0 AS step FROM generations WHERE id = $1
    UNION
    SELECT parent.id, parent.parent_id, line.step + 1
      FROM line JOIN generations parent ON parent.id = line.parent_id
     WHERE line.step < $2
  )
  SELECT id FROM line WHERE id <> $1 GROUP BY id ORDER BY min(step)`;

const DESCENDANTS = `
  WITH RECURSIVE tree AS (
    SELECT CAST($1 AS bigint) AS id, 0 AS step
    UNION
    SELECT child.id, tree.step + 1
      FROM tree JOIN generations child ON child.parent_id = tree.id
     WHERE tree.step < $2
  )
  SELECT DISTINCT id FROM tree WHERE id <> $1 ORDER BY id LIMIT $3`;

const BATCH = "SELECT id FROM generations WHERE batch_id = $1 AND id <> $2 ORDER BY id LIMIT $3";

async function lineageOf(
  client: PoolClient,
  { generations }: Deps,
  id: bigint,
  reach: { depth: number; relatives: number },
): Promise<Lineage | undefined> {
  const [generation] = await generations.findMany([id]);
  if (!generation) return undefined;
  const idsOf = async (sql: string, parameters: unknown[]): Promise<bigint[]> =>
    (await client.query<{ id: string }>(sql, parameters)).rows.map((row) => BigInt(row.id));
  // One after the other: they share the transaction's connection.
  const ancestors = await idsOf(ANCESTORS, [String(id), reach.depth]);
  const descendants = await idsOf(DESCENDANTS, [String(id), reach.depth, reach.relatives]);
  const batch =
    generation.batchId === "" ? [] : await idsOf(BATCH, [generation.batchId, String(id), reach.relatives]);
  const relatives = byId(await generations.findMany([...new Set([...ancestors, ...descendants, ...batch])]));
  const all = (ids: bigint[]): Generation[] => ids.flatMap((each) => relatives.get(each) ?? []);
  return {
    generation,
    ancestors: all(ancestors),
    descendants: all(descendants),
    batch: all(batch),
  };
}

function byId(generations: readonly Generation[]): Map<bigint, Generation> {
  return new Map(generations.map((generation) => [generation.id, generation]));
}

interface UseRow {
  generation_id: string;
  image_id: string | null;
  image_path: string;
  caption: string;
  similarity: number;
  rank: number;
}

async function usesOf(
  client: PoolClient,
  deps: Deps,
  { image, after, limit }: Parameters<LineageStore["uses"]>[0],
): Promise<{ uses: ImageUse[]; total: bigint }> {
  const { condition, value } = conditionOf(image);
  const counted = await client.query<{ total: string }>(
    // Distinct in the order of the index, which needs no sort.
    `SELECT count(*) AS total
       FROM (SELECT DISTINCT created_at, generation_id FROM generation_examples WHERE ${condition}) AS use`,
    [value],
  );
  const behind = after
    ? `AND (created_at, generation_id) < (CAST($3 AS timestamptz), CAST($4 AS bigint))`
    : "";
  const { rows } = await client.query<UseRow>(
    `SELECT DISTINCT ON (created_at, generation_id)
            generation_id, image_id, image_path, caption, similarity, rank
       FROM generation_examples
      WHERE ${condition} ${behind}
      ORDER BY created_at DESC, generation_id DESC, rank, position
      LIMIT $2`,
    [value, limit, ...(after ? [instantText(after.createdAtMicros), String(after.generationId)] : [])],
  );
  const generations = byId(await deps.generations.findMany(rows.map((row) => BigInt(row.generation_id))));
  const uses = rows.flatMap((row): ImageUse[] => {
    const generation = generations.get(BigInt(row.generation_id));
    return generation ? [{ generation, example: toExample(row) }] : [];
  });
  return { uses, total: BigInt(counted.rows[0]?.total ?? 0) };
}

function conditionOf(image: ImageReference): { condition: string; value: string } {
  return "imageId" in image
    ? { condition: "image_id = CAST($1 AS bigint)", value: String(image.imageId) }
    : { condition: "image_path = $1", value: image.imagePath };
}

function toExample(row: UseRow): ImageUse["example"] {
  return {
    imageId: BigInt(row.image_id ?? 0),
    imagePath: row.image_path,
    caption: row.caption,
    similarity: row.similarity,
    rank: row.rank,
  };
}

interface OutputRow extends OutputJson {
  generation_id: string;
  position: number;
}

async function outputsOf(
  db: Pick<Database, "query">,
  { generationId, state, after, limit }: Parameters<LineageStore["outputs"]>[0],
): Promise<GenerationOutput[]> {
  const parameters = sqlParameters();
  const conditions = [
    ...(generationId === undefined
      ? []
      : [`generation_id = CAST(${parameters.add(String(generationId))} AS bigint)`]),
    ...(state === undefined ? [] : [`state = ${parameters.add(state)}`]),
    ...(after
      ? [
          `(generation_id, position) > (CAST(${parameters.add(String(after.generationId))} AS bigint), CAST(${parameters.add(after.position)} AS integer))`,
        ]
      : []),
  ];
  const { rows } = await db.query<OutputRow>(
    `SELECT generation_id, position, path, size_bytes, encode(sha256, 'hex') AS sha256, state,
            ${epochMicros("verified_at")} AS verified_at_micros
       FROM generation_outputs
      ${conditions.length > 0 ? `WHERE ${conditions.join(" AND ")}` : ""}
      ORDER BY generation_id, position
      LIMIT ${parameters.add(limit)}`,
    parameters.values,
  );
  return rows.map((row) => ({
    generationId: BigInt(row.generation_id),
    position: row.position,
    output: toOutputFile(row),
  }));
}

// Rows are locked in their order, so that two reports never wait for each other's.
const REPORT = `
  WITH finding AS (
    SELECT generation_id, position, state, size_bytes, decode(sha256, 'hex') AS sha256,
           COALESCE(verified_at, now()) AS at
      FROM unnest($1::bigint[], $2::integer[], $3::text[], $4::timestamptz[], $5::bigint[], $6::text[])
           AS given (generation_id, position, state, verified_at, size_bytes, sha256)
  ), known AS MATERIALIZED (
    SELECT output.generation_id, output.position, finding.state, finding.at, finding.size_bytes, finding.sha256
      FROM generation_outputs output JOIN finding USING (generation_id, position)
     ORDER BY output.generation_id, output.position
       FOR UPDATE OF output
  ), changed AS (
    UPDATE generation_outputs AS output
       SET state = known.state, verified_at = known.at,
           size_bytes = CASE known.state WHEN 'kept' THEN COALESCE(output.size_bytes, known.size_bytes) ELSE output.size_bytes END,
           sha256 = CASE known.state WHEN 'kept' THEN COALESCE(output.sha256, known.sha256) ELSE output.sha256 END
      FROM known
     WHERE output.generation_id = known.generation_id AND output.position = known.position
       AND (output.verified_at IS NULL OR output.verified_at <= known.at)
    RETURNING 1
  )
  SELECT count(*) AS updated FROM changed`;

async function report(db: Pick<Database, "query">, findings: readonly OutputFinding[]): Promise<bigint> {
  const { rows } = await db.query<{ updated: string }>(REPORT, [
    findings.map(({ generationId }) => String(generationId)),
    findings.map(({ position }) => position),
    findings.map(({ state }) => state),
    findings.map(({ verifiedAtMicros: at }) => (at === undefined ? null : instantText(at))),
    findings.map(({ sizeBytes }) => sizeBytes?.toString() ?? null),
    findings.map(({ sha256 }) => (sha256 ? Buffer.from(sha256).toString("hex") : null)),
  ]);
  return BigInt(rows[0]?.updated ?? 0);
}
