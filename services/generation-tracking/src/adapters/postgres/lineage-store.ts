import { translatePgError } from "@kindred/postgres";
import type { DataSource, EntityManager } from "typeorm";
import type { Generation } from "../../domain/generation.ts";
import type {
  GenerationOutput,
  ImageReference,
  ImageUse,
  Lineage,
  LineageStore,
  OutputFinding,
} from "../../domain/lineage/ports.ts";
import { epochMicros, GenerationEntity, type OutputJson } from "./generation-entity.ts";
import { toGeneration, toOutputFile } from "./generation-rows.ts";
import { instantText, sqlParameters } from "./sql-parameters.ts";

/** The store over the tables of this service's schema. The data source stays the caller's. */
export function lineageStore(dataSource: DataSource): LineageStore {
  const read = <T>(work: (manager: EntityManager) => Promise<T>): Promise<T> =>
    translated(() => work(dataSource.manager));
  /** Several statements of one snapshot. */
  const readAtOnce = <T>(work: (manager: EntityManager) => Promise<T>): Promise<T> =>
    translated(() => dataSource.transaction("REPEATABLE READ", work));
  return {
    lineage: (id, limits) => readAtOnce((manager) => lineageOf(manager, id, limits)),
    find: (ids) => read((manager) => find(manager, ids)),
    uses: (query) => readAtOnce((manager) => usesOf(manager, query)),
    outputs: (query) => read((manager) => outputsOf(manager, query)),
    report: (findings) => read((manager) => report(manager, findings)),
  };
}

async function translated<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw translatePgError(error);
  }
}

async function find(manager: EntityManager, ids: readonly bigint[]): Promise<Generation[]> {
  if (ids.length === 0) return [];
  const rows = await manager
    .getRepository(GenerationEntity)
    .createQueryBuilder("g")
    .where("g.id = ANY(CAST(:ids AS bigint[]))", { ids: ids.map(String) })
    .getMany();
  return rows.map(toGeneration);
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
  manager: EntityManager,
  id: bigint,
  { depth, relatives }: { depth: number; relatives: number },
): Promise<Lineage | undefined> {
  const [generation] = await find(manager, [id]);
  if (!generation) return undefined;
  const idsOf = async (sql: string, parameters: unknown[]): Promise<bigint[]> =>
    (await manager.query<{ id: string }[]>(sql, parameters)).map((row) => BigInt(row.id));
  // One after the other: they share the transaction's connection.
  const ancestors = await idsOf(ANCESTORS, [String(id), depth]);
  const descendants = await idsOf(DESCENDANTS, [String(id), depth, relatives]);
  const batch =
    generation.batchId === "" ? [] : await idsOf(BATCH, [generation.batchId, String(id), relatives]);
  const found = byId(await find(manager, [...new Set([...ancestors, ...descendants, ...batch])]));
  const all = (ids: bigint[]): Generation[] => ids.flatMap((each) => found.get(each) ?? []);
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
  manager: EntityManager,
  { image, after, limit }: Parameters<LineageStore["uses"]>[0],
): Promise<{ uses: ImageUse[]; total: bigint }> {
  const { condition, value } = conditionOf(image);
  const [counted] = await manager.query<{ total: string }[]>(
    // Distinct in the order of the index, which needs no sort.
    `SELECT count(*) AS total
       FROM (SELECT DISTINCT created_at, generation_id FROM generation_examples WHERE ${condition}) AS use`,
    [value],
  );
  const behind = after
    ? `AND (created_at, generation_id) < (CAST($3 AS timestamptz), CAST($4 AS bigint))`
    : "";
  const rows = await manager.query<UseRow[]>(
    `SELECT DISTINCT ON (created_at, generation_id)
            generation_id, image_id, image_path, caption, similarity, rank
       FROM generation_examples
      WHERE ${condition} ${behind}
      ORDER BY created_at DESC, generation_id DESC, rank, position
      LIMIT $2`,
    [value, limit, ...(after ? [instantText(after.createdAtMicros), String(after.generationId)] : [])],
  );
  const generations = byId(
    await find(
      manager,
      rows.map((row) => BigInt(row.generation_id)),
    ),
  );
  const uses = rows.flatMap((row): ImageUse[] => {
    const generation = generations.get(BigInt(row.generation_id));
    return generation ? [{ generation, example: toExample(row) }] : [];
  });
  return { uses, total: BigInt(counted?.total ?? 0) };
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
  manager: EntityManager,
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
  const rows = await manager.query<OutputRow[]>(
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

async function report(manager: EntityManager, findings: readonly OutputFinding[]): Promise<bigint> {
  const [counted] = await manager.query<{ updated: string }[]>(REPORT, [
    findings.map(({ generationId }) => String(generationId)),
    findings.map(({ position }) => position),
    findings.map(({ state }) => state),
    findings.map(({ verifiedAtMicros: at }) => (at === undefined ? null : instantText(at))),
    findings.map(({ sizeBytes }) => sizeBytes?.toString() ?? null),
    findings.map(({ sha256 }) => (sha256 ? Buffer.from(sha256).toString("hex") : null)),
  ]);
  return BigInt(counted?.updated ?? 0);
}
