import type { PoolClient } from "pg";
import type { GenerationFields } from "../../domain/generation.ts";
import { isBarePath } from "../../domain/output-files.ts";

// Whole seconds and the rest apart: PostgreSQL multiplies intervals in double precision, which does not hold all microseconds.
const WRITE = `
  INSERT INTO generation_outputs AS o (generation_id, position, path, size_bytes, sha256, state, verified_at)
  SELECT $1, position, path, size_bytes, decode(sha256, 'hex'), state,
         TIMESTAMPTZ 'epoch' + (micros / 1000000) * INTERVAL '1 second' + (micros % 1000000) * INTERVAL '1 microsecond'
    FROM unnest($2::text[], $3::bigint[], $4::text[], $5::text[], $6::bigint[]) WITH ORDINALITY
         AS output (path, size_bytes, sha256, state, micros, position)
  ON CONFLICT (generation_id, position) DO UPDATE
     SET path = excluded.path, size_bytes = excluded.size_bytes, sha256 = excluded.sha256, state = excluded.state,
         verified_at = excluded.verified_at`;

/** Writes the outputs of a generation whose output_path was just written: a trigger has written what that says. */
export async function writeOutputs(
  client: Pick<PoolClient, "query">,
  generationId: string,
  { outputs, outputPath }: Pick<GenerationFields, "outputs" | "outputPath">,
): Promise<void> {
  if (outputs.length === 0 || isBarePath(outputs, outputPath)) return;
  await client.query(WRITE, [
    generationId,
    outputs.map(({ path }) => path),
    outputs.map(({ sizeBytes }) => sizeBytes?.toString() ?? null),
    outputs.map(({ sha256 }) => (sha256 ? Buffer.from(sha256).toString("hex") : null)),
    outputs.map(({ state }) => state),
    outputs.map(({ verifiedAtMicros }) => verifiedAtMicros?.toString() ?? null),
  ]);
}
