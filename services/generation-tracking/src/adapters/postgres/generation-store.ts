import { repositoryTransaction, translatePgError, type Database } from "@kindred/postgres";
import type { DataSource, Repository, SelectQueryBuilder } from "typeorm";
import {
  GENERATION_STATUSES,
  type Generation,
  type GenerationFilter,
  type GenerationStatistics,
  type GenerationStatus,
} from "../../domain/generation.ts";
import type { GenerationStore } from "../../domain/generation-store.ts";
import { GenerationEntity, type GenerationRow } from "./generation-entity.ts";
import { toGeneration } from "./generation-rows.ts";
import { insertGeneration } from "./insert-generation.ts";

/** The store over the tables of this service's schema. Database and data source, which is over it, stay the caller's. */
export function generationStore(deps: { db: Database; dataSource: DataSource }): GenerationStore {
  const repository = deps.dataSource.getRepository(GenerationEntity);
  const find = async (id: bigint): Promise<Generation | undefined> => {
    const row = await repository.findOneBy({ id: String(id) });
    return row ? toGeneration(row) : undefined;
  };
  return {
    insert: (fields, options) =>
      repositoryTransaction(deps.db, async (client) => {
        const id = await insertGeneration(repository, client, fields, options);
        return id === undefined ? undefined : await find(id);
      }),
    findByIdempotencyKey: (key) => translated(() => findByIdempotencyKey(repository, key)),
    find: (id) => translated(() => find(id)),
    findMany: (ids) => translated(() => findMany(repository, ids)),
    list: (query) => translated(() => list(repository, query)),
    statistics: () => translated(() => statistics(repository)),
  };
}

async function translated<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw translatePgError(error);
  }
}

async function findMany(
  repository: Repository<GenerationRow>,
  ids: readonly bigint[],
): Promise<Generation[]> {
  if (ids.length === 0) return [];
  // One parameter, however many they are.
  const rows = await repository
    .createQueryBuilder("g")
    .where("g.id = ANY(CAST(:ids AS bigint[]))", { ids: ids.map(String) })
    .getMany();
  const found = new Map(rows.map((row) => [BigInt(row.id), row]));
  return ids.flatMap((id) => {
    const row = found.get(id);
    return row ? [toGeneration(row)] : [];
  });
}

async function findByIdempotencyKey(
  repository: Repository<GenerationRow>,
  key: string,
): Promise<{ generation: Generation; digest: Uint8Array } | undefined> {
  const row = await repository
    .createQueryBuilder("g")
    .addSelect("g.requestDigest")
    .where("g.idempotencyKey = :key", { key })
    .getOne();
  return row?.requestDigest ? { generation: toGeneration(row), digest: row.requestDigest } : undefined;
}

async function list(
  repository: Repository<GenerationRow>,
  query: Parameters<GenerationStore["list"]>[0],
): Promise<Generation[]> {
  const builder = repository.createQueryBuilder("g");
  addConditions(builder, query.filter);
  if (query.after) {
    // Compared as a pair, so that the index finds the page's beginning, however far back it is.
    builder.andWhere(`(g.createdAt, g.id) < (${instant("afterMicros")}, CAST(:afterId AS bigint))`, {
      afterMicros: String(query.after.createdAtMicros),
      afterId: String(query.after.id),
    });
  }
  const rows = await builder
    .orderBy("g.createdAt", "DESC")
    .addOrderBy("g.id", "DESC")
    .limit(query.limit)
    .getMany();
  return rows.map(toGeneration);
}

function addConditions(builder: SelectQueryBuilder<GenerationRow>, filter: GenerationFilter): void {
  const { status, promptContains, createdAfterMicros, createdBeforeMicros } = filter;
  if (status !== undefined) builder.andWhere("g.status = :status", { status });
  if (promptContains !== undefined) {
    builder.andWhere("g.prompt ILIKE :pattern ESCAPE '\\'", { pattern: `%${escapeLike(promptContains)}%` });
  }
  if (createdAfterMicros !== undefined) {
    builder.andWhere(`g.createdAt >= ${instant("createdAfter")}`, {
      createdAfter: String(createdAfterMicros),
    });
  }
  if (createdBeforeMicros !== undefined) {
    builder.andWhere(`g.createdAt < ${instant("createdBefore")}`, {
      createdBefore: String(createdBeforeMicros),
    });
  }
}

/** The instant of a parameter in microseconds since 1970. */
function instant(parameter: string): string {
  return `(TIMESTAMPTZ 'epoch' + CAST(:${parameter} AS bigint) * INTERVAL '1 microsecond')`;
}

/** LIKE's own characters stand for themselves. */
export function escapeLike(text: string): string {
  return text.replace(/[\\%_]/g, (character) => `\\${character}`);
}

/** One statement, and so one snapshot: the figures agree with each other. */
async function statistics(repository: Repository<GenerationRow>): Promise<GenerationStatistics> {
  const rows = await repository
    .createQueryBuilder("g")
    .select("g.status", "status")
    .addSelect("count(*)", "count")
    .addSelect("count(*) FILTER (WHERE g.created_at >= now() - INTERVAL '24 hours')", "recent")
    .addSelect("count(g.generation_time_ms)", "timed")
    .addSelect("COALESCE(sum(g.generation_time_ms), 0)", "sum_ms")
    .groupBy("g.status")
    .getRawMany<{ status: GenerationStatus; count: string; recent: string; timed: string; sum_ms: string }>();
  const completed = rows.find((row) => row.status === "completed");
  return {
    total: rows.reduce((sum, row) => sum + BigInt(row.count), 0n),
    recent: rows.reduce((sum, row) => sum + BigInt(row.recent), 0n),
    averageTimeMs:
      completed && completed.timed !== "0" ? Number(completed.sum_ms) / Number(completed.timed) : undefined,
    byStatus: GENERATION_STATUSES.map((status) => ({
      status,
      count: BigInt(rows.find((row) => row.status === status)?.count ?? 0),
    })),
  };
}
