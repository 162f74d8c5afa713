import { translatePgError } from "@kindred/postgres";
import type { DataSource, Repository, SelectQueryBuilder } from "typeorm";
import {
  GENERATION_STATUSES,
  type Generation,
  type GenerationFields,
  type GenerationFilter,
  type GenerationStatistics,
  type GenerationStatus,
} from "../../domain/generation.ts";
import type { GenerationStore, IdempotencyKey } from "../../domain/generation-store.ts";
import { epochMicros, GenerationEntity, type GenerationRow } from "./generation-entity.ts";
import { toGeneration, toRow } from "./generation-rows.ts";

/** The store over the tables of this service's schema. The data source stays the caller's. */
export function generationStore(dataSource: DataSource): GenerationStore {
  const repository = dataSource.getRepository(GenerationEntity);
  return {
    insert: (fields, idempotency, createdAtMicros) =>
      translated(() => insert(repository, fields, idempotency, createdAtMicros)),
    findByIdempotencyKey: (key) => translated(() => findByIdempotencyKey(repository, key)),
    find: (id) =>
      translated(async () => {
        const row = await repository.findOneBy({ id: String(id) });
        return row ? toGeneration(row) : undefined;
      }),
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

async function insert(
  repository: Repository<GenerationRow>,
  fields: GenerationFields,
  idempotency: IdempotencyKey | undefined,
  createdAtMicros: bigint | undefined,
): Promise<Generation | undefined> {
  const result = await repository
    .createQueryBuilder()
    .insert()
    .values({
      ...toRow(fields),
      idempotencyKey: idempotency?.key ?? null,
      requestDigest: idempotency ? Buffer.from(idempotency.digest) : null,
      // A Date would lose the microseconds. Left out, the column has its default.
      ...(createdAtMicros !== undefined && {
        createdAt: () => exactInstant(createdAtMicros),
      }),
    })
    // A concurrent call with the same key waits here for the other's commit, and then inserts nothing.
    .orIgnore()
    .returning(`id, ${epochMicros("created_at")} AS created_at_micros`)
    .updateEntity(false)
    .execute();
  const [stored] = result.raw as { id: string; created_at_micros: string }[];
  return stored && { ...fields, id: BigInt(stored.id), createdAtMicros: BigInt(stored.created_at_micros) };
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

/** Of whole seconds and the rest: PostgreSQL multiplies intervals in double precision, which does not hold all microseconds. */
function exactInstant(micros: bigint): string {
  const rest = micros % 1_000_000n;
  return `TIMESTAMPTZ 'epoch' + ${(micros - rest) / 1_000_000n} * INTERVAL '1 second' + ${rest} * INTERVAL '1 microsecond'`;
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
