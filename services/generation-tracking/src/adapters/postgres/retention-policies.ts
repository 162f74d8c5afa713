import type { Database } from "@kindred/postgres";
import type { EndStatus } from "../../domain/generation.ts";
import type { RetentionPolicy, RetentionPolicyState } from "../../domain/retention/policy.ts";
import type { RetentionPolicies } from "../../domain/retention/ports.ts";
import { epochMicros } from "./generation-entity.ts";

/** A row as `pg` gives it: 64-bit integers are text. */
interface PolicyRow {
  id: string;
  name: string;
  max_age_micros: string | null;
  max_count: string | null;
  statuses: EndStatus[];
  keep_rating: number | null;
  keep_labels: string[];
  keep_parents: boolean;
  every_micros: string | null;
}

const COLUMNS = `
  p.id, p.name, ${epochMicros("p.max_age")} AS max_age_micros, p.max_count, p.statuses, p.keep_rating, p.keep_labels,
  p.keep_parents, ${epochMicros("p.every")} AS every_micros`;

const interval = (parameter: string): string => `${parameter}::bigint * INTERVAL '1 microsecond'`;

const SETTINGS = "max_age, max_count, statuses, keep_rating, keep_labels, keep_parents, every";

// xmax is 0 of a row that was inserted, and this transaction of one that was there.
const PUT = `
  INSERT INTO retention_policies AS p (name, ${SETTINGS})
  VALUES ($1, ${interval("$2")}, $3::bigint, $4::text[], $5::smallint, $6::text[], $7, ${interval("$8")})
  ON CONFLICT (name) DO UPDATE SET (${SETTINGS}) =
    (excluded.max_age, excluded.max_count, excluded.statuses, excluded.keep_rating, excluded.keep_labels,
     excluded.keep_parents, excluded.every)
  RETURNING ${COLUMNS}, (p.xmax = 0) AS created`;

/** Operations of an earlier policy of the same name are none of this one. */
const OWN = "o.kind = 'retention' AND o.subject = p.name AND o.created_at >= p.created_at";

const LIST = `
  SELECT ${COLUMNS}, latest.id AS operation_id, ${epochMicros("applied.finished_at")} AS applied_micros, applied.deleted
    FROM retention_policies p
    LEFT JOIN LATERAL (SELECT o.id FROM operations o WHERE ${OWN} ORDER BY o.id DESC LIMIT 1) latest ON true
    LEFT JOIN LATERAL (
      SELECT o.finished_at, r.deleted FROM operations o JOIN retention_runs r ON r.operation_id = o.id
       WHERE ${OWN} AND o.finished_at IS NOT NULL ORDER BY o.id DESC LIMIT 1) applied ON true
   ORDER BY p.name COLLATE "C"`;

// From the beginning of the last operation, whoever asked for it and however it ended: what fails is not tried again sooner.
const DUE = `
  SELECT ${COLUMNS}, COALESCE(latest.id, 0) AS previous
    FROM retention_policies p
    LEFT JOIN LATERAL (
      SELECT o.id, o.created_at, o.finished_at FROM operations o WHERE ${OWN} ORDER BY o.id DESC LIMIT 1) latest ON true
   WHERE p.every IS NOT NULL
     AND (latest.id IS NULL OR (latest.finished_at IS NOT NULL AND latest.created_at + p.every <= clock_timestamp()))
   ORDER BY p.name COLLATE "C"`;

/** Policies over this service's schema. The database stays the caller's. */
export function retentionPolicies(db: Pick<Database, "statement">): RetentionPolicies {
  return {
    async put(policy, limits) {
      const values = [
        policy.name,
        policy.maxAgeMicros?.toString() ?? null,
        policy.maxCount?.toString() ?? null,
        policy.statuses,
        policy.keepRating ?? null,
        policy.keepLabels,
        policy.keepParents,
        policy.everyMicros?.toString() ?? null,
      ];
      const { rows } = await db.statement<PolicyRow & { created: boolean }>({ text: PUT, values }, limits);
      const row = rows[0] as PolicyRow & { created: boolean };
      return { policy: toPolicy(row), created: row.created };
    },

    async find(name, limits) {
      const text = `SELECT ${COLUMNS} FROM retention_policies p WHERE p.name = $1`;
      const { rows } = await db.statement<PolicyRow>({ text, values: [name] }, limits);
      return rows[0] && toPolicy(rows[0]);
    },

    async list(limits) {
      const { rows } = await db.statement<
        PolicyRow & { operation_id: string | null; applied_micros: string | null; deleted: string | null }
      >({ text: LIST, values: [] }, limits);
      return rows.map((row): RetentionPolicyState => ({
        policy: toPolicy(row),
        lastAppliedAtMicros: row.applied_micros === null ? undefined : BigInt(row.applied_micros),
        lastDeleted: BigInt(row.deleted ?? 0),
        operationId: BigInt(row.operation_id ?? 0),
      }));
    },

    async remove(name, limits) {
      const text = "DELETE FROM retention_policies WHERE name = $1";
      return (await db.statement({ text, values: [name] }, limits)).rowCount > 0;
    },

    async due(limits) {
      const { rows } = await db.statement<PolicyRow & { previous: string }>(
        { text: DUE, values: [] },
        limits,
      );
      return rows.map((row) => ({
        policy: toPolicy(row),
        requestId: `automatic: policy ${row.id} after operation ${row.previous}`,
      }));
    },
  };
}

function toPolicy(row: PolicyRow): RetentionPolicy {
  return {
    name: row.name,
    maxAgeMicros: row.max_age_micros === null ? undefined : BigInt(row.max_age_micros),
    maxCount: row.max_count === null ? undefined : BigInt(row.max_count),
    statuses: row.statuses,
    keepRating: row.keep_rating ?? undefined,
    keepLabels: row.keep_labels,
    keepParents: row.keep_parents,
    everyMicros: row.every_micros === null ? undefined : BigInt(row.every_micros),
  };
}
