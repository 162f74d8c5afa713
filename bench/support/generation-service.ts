import { createClient, type Client, type Transport } from "@connectrpc/connect";
import { GenerationService } from "@kindred/contracts/generation-tracking/v1";
import { repositoryPath, superviseProcess } from "@kindred/process";
import { openChannel } from "@kindred/rpc";
import { Client as PgClient } from "pg";
import { NOTHING_TO_LOSE, startDatabase } from "./database.ts";

/** A database and the generation-tracking service beside it, as processes of their own; disposing of it ends both. */
export interface RunningGenerations extends AsyncDisposable {
  /** What the database is, for people. */
  readonly database: string;
  readonly client: Client<typeof GenerationService>;
  /** For the service's other contracts. */
  readonly transport: Transport;
  /** A connection of the benchmark's own, in the service's schema. */
  readonly sql: PgClient;
}

/** What a machine for a million generations has; a benchmark's database has nothing to lose. */
const DATABASE_SETTINGS = {
  shared_buffers: "1GB",
  maintenance_work_mem: "512MB",
  max_wal_size: "8GB",
  ...NOTHING_TO_LOSE,
};

const CALL_TIMEOUT_MS = 600_000;

/** @param url of an empty database; undefined: one that is made for this and removed afterwards */
export async function startGenerations(url: string | undefined): Promise<RunningGenerations> {
  await using starting = new AsyncDisposableStack();
  const server =
    url === undefined
      ? starting.use(await startDatabase(DATABASE_SETTINGS))
      : { url, description: "the given database" };
  const service = starting.use(
    superviseProcess({
      name: "generation-tracking",
      entry: repositoryPath("services/generation-tracking/src/main.ts"),
      env: {
        DATABASE_URL: server.url,
        GRPC_PORT: "0",
        HTTP_PORT: "0",
        LOG_LEVEL: "error",
        METRICS_ADDRESS: "",
        DB_STATEMENT_TIMEOUT: "10m",
      },
      nodeArgs: [],
      restart: "never",
      onLog: (line) => console.error(line),
    }),
  );
  const ready = await service.ready;
  const sql = new PgClient({
    connectionString: server.url,
    options: "-c search_path=generation_tracking,public",
  });
  await sql.connect();
  starting.defer(() => sql.end());
  const address = `127.0.0.1:${String(ready["grpcPort"])}`;
  const { transport } = starting.use(openChannel({ address, defaultTimeoutMs: CALL_TIMEOUT_MS }));
  const running = starting.move();
  return {
    database: server.description,
    client: createClient(GenerationService, transport),
    transport,
    sql,
    [Symbol.asyncDispose]: () => running.disposeAsync(),
  };
}

const BATCH = 50_000;

/** Rows of which much is known: made by the server, always the same ones, a value every so often being rare. */
const INSERT = `
  INSERT INTO generations (prompt, negative_prompt, seed, num_inference_steps, guidance_scale, generation_time_ms, memory_usage_mb,
    model_config, retrieved_examples, status, error_message, created_at, sampler, width, height, model_name, model_hash, batch_id,
    parent_id, session_id, labels, rating, output_path)
  SELECT (SELECT string_agg('word' || floor(2000 * power(hash(i, 100 + w), 3)), ' ') FROM generate_series(1, 10) w)
           || CASE WHEN i % 10007 = 0 THEN ' a kangaroo' ELSE '' END,
         CASE WHEN hash(i, 1) < 0.5 THEN CASE WHEN i % 9973 = 0 THEN 'watermark, text' ELSE 'blurry, low quality' END END,
         floor(hash(i, 2) * 4294967296)::bigint,
         CASE WHEN i % 9001 = 0 THEN 4 ELSE (ARRAY[20, 25, 30, 50])[1 + floor(4 * hash(i, 3))::int] END,
         CASE WHEN i % 8009 = 0 THEN 1.5 ELSE (ARRAY[5, 7, 7.5, 9])[1 + floor(4 * hash(i, 4))::int] END,
         time_ms, floor(8192 * (2000 + 6000 * hash(i, 6))) / 8192,
         jsonb_build_object('scheduler', jsonb_build_object('name', CASE WHEN i % 9011 = 0 THEN 'lcm' ELSE (ARRAY['ddim', 'euler'])[1 + floor(2 * hash(i, 7))::int] END),
                            'loras', jsonb_build_array('style-' || floor(50 * hash(i, 8))))
           || CASE WHEN i % 10009 = 0 THEN '{"controlnet": {"scale": 0.5}}'::jsonb ELSE '{}'::jsonb END,
         CASE WHEN i % 3 = 0 THEN jsonb_build_array(jsonb_build_object('image_id', 1 + floor(20000 * power(hash(i, 9), 4)), 'image_path',
           'images/' || floor(20000 * power(hash(i, 9), 4)), 'caption', 'a picture', 'similarity', 0.5)) END,
         CASE WHEN i % 100 < 90 THEN 'completed' WHEN i % 10000 = 9999 THEN 'cancelled' ELSE 'failed' END,
         CASE WHEN i % 100 >= 90 AND i % 10000 <> 9999 THEN CASE WHEN i % 7993 = 0 THEN 'NaN in the latents' ELSE 'out of memory' END END,
         now() - (total - i) * INTERVAL '30 seconds' - hash(i, 10) * INTERVAL '20 seconds',
         CASE WHEN i % 9013 = 0 THEN 'lms' ELSE (ARRAY['euler_a', 'dpmpp_2m', 'ddim'])[1 + floor(3 * hash(i, 11))::int] END,
         size, size, 'model-' || model, 'hash-' || model, 'batch-' || i / 4,
         CASE WHEN i % 10 = 0 THEN 1 + floor(i * hash(i, 14))::bigint END, 'session-' || i / 20,
         CASE WHEN i % 10037 = 0 THEN '{favourite,rare}' WHEN hash(i, 15) < 0.1 THEN '{favourite}' ELSE '{}' END::text[],
         CASE WHEN i % 20011 = 0 THEN 1 WHEN hash(i, 16) < 0.2 THEN 2 + floor(4 * hash(i, 17))::int END,
         CASE WHEN i % 100 < 90 THEN '/media/' || i / 100000 || '/' || i || '.png' END
    FROM (SELECT i, $3::bigint AS total, floor(1000 + 9000 * power(hash(i, 5), 4))::int AS time_ms,
                 CASE WHEN i % 10039 = 0 THEN 2048 ELSE (ARRAY[512, 768, 1024])[1 + floor(3 * hash(i, 12))::int] END AS size,
                 CASE WHEN i % 10061 = 0 THEN 29 ELSE floor(25 * power(hash(i, 13), 3)) END AS model
            FROM generate_series($1::bigint, $2::bigint) AS i) AS row`;

/** Fills the empty table, and only then makes its indexes, as one loads much. @returns the seconds of both */
export async function fillGenerations(
  { sql }: RunningGenerations,
  rows: number,
): Promise<{ rowsS: number; indexesS: number }> {
  await sql.query("SET statement_timeout = 0");
  // 0 to 1, evenly, the same for the same numbers.
  await sql.query(`
    CREATE FUNCTION pg_temp.hash(i bigint, salt bigint) RETURNS float8 LANGUAGE sql IMMUTABLE
      RETURN (hashint8extended(i, salt) & 4503599627370495)::float8 / 4503599627370496`);
  const { rows: indexes } = await sql.query<{ name: string; definition: string }>(`
    SELECT i.indexrelid::regclass::text AS name, pg_get_indexdef(i.indexrelid) AS definition
      FROM pg_index i WHERE i.indrelid = 'generations'::regclass AND NOT i.indisunique`);
  for (const { name } of indexes) await sql.query(`DROP INDEX ${name}`);
  // Nobody feeds these prompts to a vector store.
  await sql.query("ALTER TABLE generations DISABLE TRIGGER generations_insert_outbox");
  const startedAt = performance.now();
  for (let from = 1; from <= rows; from += BATCH)
    await sql.query(INSERT.replaceAll("hash(", "pg_temp.hash("), [
      from,
      Math.min(rows, from + BATCH - 1),
      rows,
    ]);
  const filledAt = performance.now();
  await sql.query("SET maintenance_work_mem = '512MB'");
  for (const { definition } of indexes) await sql.query(definition);
  const indexedAt = performance.now();
  await sql.query("VACUUM ANALYZE generations");
  await sql.query("VACUUM ANALYZE generation_examples");
  await sql.query("VACUUM ANALYZE generation_outputs");
  return { rowsS: (filledAt - startedAt) / 1000, indexesS: (indexedAt - filledAt) / 1000 };
}
