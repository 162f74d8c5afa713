import { repositoryTransaction, translatePgError, type Database } from "@kindred/postgres";
import type { DataSource, Repository } from "typeorm";
import type { Generation } from "../../domain/generation.ts";
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
      repositoryTransaction(deps.db, (client) => insertGeneration(repository, client, fields, options)),
    findByIdempotencyKey: (key) => translated(() => findByIdempotencyKey(repository, key)),
    find: (id) => translated(() => find(id)),
    findMany: (ids) => translated(() => findMany(repository, ids)),
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
