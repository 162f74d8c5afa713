import { KindredError } from "@kindred/errors";
import type { PoolClient } from "pg";
import type { Repository } from "typeorm";
import type { Generation, GenerationFields } from "../../domain/generation.ts";
import type { InsertOptions } from "../../domain/generation-store.ts";
import { epochMicros, type GenerationRow } from "./generation-entity.ts";
import { toRow } from "./generation-rows.ts";
import { writeOutputs } from "./generation-outputs.ts";
import { countGeneration } from "./session-counters.ts";

/** What the database adds to what the caller says. */
interface Returned {
  id: string;
  model_name: string | null;
  created_at_micros: string;
  lease_expires_at_micros: string | null;
  finished_at_micros: string | null;
}

const RETURNED = `id, model_name, ${["created_at", "lease_expires_at", "finished_at"]
  .map((column) => `${epochMicros(column)} AS ${column}_micros`)
  .join(", ")}`;

/**
 * Stores a generation with all that belongs to it, in the transaction of `client`, which is the repository's too.
 * @returns it as it is stored; undefined when the key was taken, and then nothing was stored
 * @throws KindredError not-found when there is no generation with its parentId
 */
export async function insertGeneration(
  repository: Repository<GenerationRow>,
  client: PoolClient,
  fields: GenerationFields,
  { idempotency, createdAtMicros, leaseMs }: InsertOptions = {},
): Promise<Generation | undefined> {
  const result = await repository
    .createQueryBuilder()
    .insert()
    .values({
      ...toRow(fields),
      idempotencyKey: idempotency?.key ?? null,
      requestDigest: idempotency ? Buffer.from(idempotency.digest) : null,
      // A Date would lose the microseconds. Left out, the column has its default.
      ...(createdAtMicros !== undefined && { createdAt: () => exactInstant(createdAtMicros) }),
      ...(leaseMs !== undefined && {
        leaseMs,
        leaseExpiresAt: () => `clock_timestamp() + ${leaseMs} * INTERVAL '1 millisecond'`,
      }),
    })
    // A concurrent call with the same key waits here for the other's commit, and then inserts nothing.
    .orIgnore()
    .returning(RETURNED)
    .updateEntity(false)
    .execute();
  const [stored] = result.raw as Returned[];
  if (!stored) return undefined;
  // After the insert: a retry is answered with what was stored, whatever has become of the parent.
  if (fields.parentId !== undefined) await requireParent(client, fields.parentId, stored.id);
  await writeOutputs(client, stored.id, fields);
  if (fields.sessionId !== "") await countGeneration(client, fields.sessionId);
  return {
    ...fields,
    id: BigInt(stored.id),
    modelName: stored.model_name ?? "",
    createdAtMicros: BigInt(stored.created_at_micros),
    progress: undefined,
    leaseExpiresAtMicros: optionalMicros(stored.lease_expires_at_micros),
    finishedAtMicros: optionalMicros(stored.finished_at_micros),
  };
}

function optionalMicros(micros: string | null): bigint | undefined {
  return micros === null ? undefined : BigInt(micros);
}

/** The parent is there until the transaction ends: a retention that keeps parents sees the variation, or has deleted the parent before. */
async function requireParent(client: PoolClient, parentId: bigint, id: string): Promise<void> {
  const { rowCount } = await client.query(
    "SELECT FROM generations WHERE id = $1 AND id <> $2 FOR KEY SHARE",
    [String(parentId), id],
  );
  if (rowCount === 0)
    throw new KindredError("not-found", `parent_id: there is no generation with id ${parentId}`);
}

/** Of whole seconds and the rest: PostgreSQL multiplies intervals in double precision, which does not hold all microseconds. */
function exactInstant(micros: bigint): string {
  const rest = micros % 1_000_000n;
  return `TIMESTAMPTZ 'epoch' + ${(micros - rest) / 1_000_000n} * INTERVAL '1 second' + ${rest} * INTERVAL '1 microsecond'`;
}
