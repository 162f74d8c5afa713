import { createClient, type Client } from "@connectrpc/connect";
import { CollectionService, SearchService, VectorService } from "@kindred/contracts/vector-store/v1";
import { repositoryPath, superviseProcess } from "@kindred/process";
import { openChannel } from "@kindred/rpc";
import { Client as PgClient, escapeIdentifier } from "pg";
import type { VectorSource } from "./clustered-vectors.ts";
import { NOTHING_TO_LOSE, startDatabase } from "./database.ts";

/** A database and the vector-store service beside it, as processes of their own; disposing of it ends both. */
export interface RunningVectorStore extends AsyncDisposable {
  readonly databaseUrl: string;
  /** What the database is, for people. */
  readonly database: string;
  /** host:port of the service's gRPC port. */
  readonly address: string;
  readonly collections: Client<typeof CollectionService>;
  readonly vectors: Client<typeof VectorService>;
  readonly search: Client<typeof SearchService>;
  /** A connection of the benchmark's own. */
  readonly sql: PgClient;
}

/** The data set and its index stay in memory; a benchmark's database has nothing to lose. */
const DATABASE_SETTINGS = {
  shared_buffers: "1GB",
  maintenance_work_mem: "1GB",
  max_wal_size: "8GB",
  ...NOTHING_TO_LOSE,
};

const CALL_TIMEOUT_MS = 600_000;

export async function startVectorStore(
  options: {
    nodeArgs?: readonly string[];
    env?: Record<string, string>;
    /** Created before the service starts, as far as the server has them. */
    extensions?: readonly string[];
    /** Of the database, in place of those that it usually has here. */
    settings?: Record<string, string>;
  } = {},
): Promise<RunningVectorStore> {
  await using starting = new AsyncDisposableStack();
  const server = starting.use(await startDatabase({ ...DATABASE_SETTINGS, ...options.settings }));
  const sql = new PgClient({ connectionString: server.url });
  await sql.connect();
  starting.defer(() => sql.end());
  for (const extension of options.extensions ?? []) await createExtension(sql, extension);
  const service = starting.use(
    superviseProcess({
      name: "vector-store",
      entry: repositoryPath("services/vector-store/src/main.ts"),
      env: {
        DATABASE_URL: server.url,
        GRPC_PORT: "0",
        HTTP_PORT: "0",
        LOG_LEVEL: "warn",
        METRICS_ADDRESS: "",
        // What a benchmark measures, it has begun itself.
        INDEX_MAINTENANCE_INTERVAL: "0s",
        ...options.env,
      },
      nodeArgs: options.nodeArgs ?? [],
      restart: "never",
      onLog: (line) => console.error(line),
    }),
  );
  const ready = await service.ready;
  const address = `127.0.0.1:${String(ready["grpcPort"])}`;
  const { transport } = starting.use(openChannel({ address, defaultTimeoutMs: CALL_TIMEOUT_MS }));
  const running = starting.move();
  return {
    databaseUrl: server.url,
    database: server.description,
    address,
    collections: createClient(CollectionService, transport),
    vectors: createClient(VectorService, transport),
    search: createClient(SearchService, transport),
    sql,
    [Symbol.asyncDispose]: () => running.disposeAsync(),
  };
}

async function createExtension(sql: PgClient, name: string): Promise<void> {
  const { rows } = await sql.query("SELECT 1 FROM pg_available_extensions WHERE name = $1", [name]);
  if (rows.length > 0) await sql.query(`CREATE EXTENSION IF NOT EXISTS ${escapeIdentifier(name)} CASCADE`);
}

export interface FillOptions {
  readonly name: string;
  readonly source: VectorSource;
  readonly count: number;
  /** Metadata of the item at this position; none when absent. */
  readonly metadataOf?: (position: number) => Record<string, string | number | boolean>;
}

const BATCH = 2000;
/** Of a message: half of what the service takes. */
const BATCH_BYTES = 16 * 2 ** 20;

/** Creates the collection and fills it, by the contract; the items' keys are item-0, item-1 … @returns its table, quoted. */
export async function fillCollection(
  { collections, vectors }: RunningVectorStore,
  { name, source, count, metadataOf }: FillOptions,
): Promise<string> {
  const { collection } = await collections.createCollection({ name, dimensions: source.dimensions });
  const batch = Math.min(BATCH, Math.floor(BATCH_BYTES / (4 * source.dimensions)));
  async function* messages() {
    yield { message: { case: "options" as const, value: { collection: name } } };
    for (let start = 0; start < count; start += batch) {
      const size = Math.min(batch, count - start);
      const packed = source.next(size).vectors;
      const positions = Array.from({ length: size }, (_, i) => start + i);
      const items = {
        keys: positions.map((position) => `item-${position}`),
        vectors: new Uint8Array(packed.buffer, packed.byteOffset, packed.byteLength),
        ...(metadataOf && { metadata: positions.map(metadataOf) }),
      };
      yield { message: { case: "batch" as const, value: { sequence: BigInt(start), items } } };
    }
  }
  let inserted = 0n;
  for await (const answer of vectors.ingest(messages())) inserted += answer.inserted;
  if (inserted !== BigInt(count)) throw new Error(`${inserted} items were stored, not ${count}`);
  const { schema, table } = collection?.table ?? { schema: "", table: "" };
  return `${escapeIdentifier(schema)}.${escapeIdentifier(table)}`;
}

/** An HNSW index for the cosine distance, and statistics. @returns the seconds that it took. */
export async function buildHnsw(
  { sql }: RunningVectorStore,
  table: string,
  { m, efConstruction }: { m: number; efConstruction: number },
): Promise<number> {
  const startedAt = performance.now();
  await sql.query(
    `CREATE INDEX ON ${table} USING hnsw (embedding vector_cosine_ops) WITH (m = ${m}, ef_construction = ${efConstruction})`,
  );
  await sql.query(`VACUUM ANALYZE ${table}`);
  return (performance.now() - startedAt) / 1000;
}
