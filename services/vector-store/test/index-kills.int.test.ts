import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { createClient, type Client } from "@connectrpc/connect";
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { readEnvironment } from "@kindred/config";
import { OperationState, type Operation } from "@kindred/contracts/common/v1";
import {
  CollectionService,
  IndexKind,
  IndexMaintenance,
  IndexQuantization,
  IndexService,
  OperationService,
  SearchService,
} from "@kindred/contracts/vector-store/v1";
import { isKindredError } from "@kindred/errors";
import { startEmbeddedServer, type EmbeddedServer } from "@kindred/postgres";
import { resolvePlaces } from "@kindred/process";
import { openChannel } from "@kindred/rpc";
import { silentLogger, temporaryFolder } from "@kindred/testing";
import pg from "pg";
import { pack } from "./items-fixture.ts";

// Builds that are killed in the middle: of a real service, on a real server of its own that can be killed.

const ROWS = 30_000;
const DIMENSIONS = 64;
/** A killed build is taken up again in half of a minute, as is printed; on a machine that does other things, too, it may take longer. */
const TAKEN_UP_MS = 120_000;
/** Each may take its time on a busy machine. */
const PATIENCE_MS = 300_000;

let server: EmbeddedServer | undefined;
let folder: Awaited<ReturnType<typeof temporaryFolder>> | undefined;
/** PGlite has one session for everybody: nothing goes on beside a build, and nobody's build outlives it. */
const onPglite = readEnvironment()["KINDRED_TEST_DATABASE"] === "pglite";

beforeAll(async () => {
  if (onPglite) return;
  folder = await temporaryFolder();
  server = await startEmbeddedServer({
    kind: "native",
    dataDir: folder.path,
    cacheDir: resolvePlaces(readEnvironment()).cache,
    logger: silentLogger(),
    settings: { max_connections: "60", shared_buffers: "256MB" },
  });
  await using service = await startService();
  await service.collections.createCollection({
    name: "things",
    dimensions: DIMENSIONS,
    indexPolicy: { maintenance: IndexMaintenance.MANUAL },
  });
  const [collection] = await sql<{ id: number }>(
    "SELECT id FROM vector_store.collections WHERE name = 'things'",
  );
  const table = `vector_store.collection_${collection?.id}_vectors`;
  await sql(
    `SELECT setseed(0.5);
     INSERT INTO ${table} (key, embedding)
     SELECT 'k' || i, (SELECT array_agg(random() - 0.5 + 0 * (i + j)) FROM generate_series(1, ${DIMENSIONS}) j)::public.vector
       FROM generate_series(1, ${ROWS}) i;
     ANALYZE ${table}`,
  );
}, PATIENCE_MS);
afterAll(async () => {
  await server?.[Symbol.asyncDispose]();
  await folder?.[Symbol.asyncDispose]();
}, 60_000);

interface Service extends AsyncDisposable {
  index: Client<typeof IndexService>;
  operations: Client<typeof OperationService>;
  search: Client<typeof SearchService>;
  collections: Client<typeof CollectionService>;
  kill(): Promise<void>;
}

async function startService(): Promise<Service> {
  const program = fileURLToPath(new URL("service-process.ts", import.meta.url));
  const child: ChildProcess = spawn(process.execPath, [program, server?.url ?? ""], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  const [port] = (await once(createInterface(child.stdout as NodeJS.ReadableStream), "line")) as [string];
  const channel = openChannel({ address: `127.0.0.1:${port}` });
  const kill = async (): Promise<void> => {
    if (child.exitCode !== null || child.signalCode !== null) return;
    const exited = once(child, "exit");
    child.kill("SIGKILL");
    await exited;
  };
  return {
    index: createClient(IndexService, channel.transport),
    operations: createClient(OperationService, channel.transport),
    search: createClient(SearchService, channel.transport),
    collections: createClient(CollectionService, channel.transport),
    kill,
    async [Symbol.asyncDispose]() {
      await channel[Symbol.asyncDispose]();
      await kill();
    },
  };
}

async function sql<R extends pg.QueryResultRow>(text: string): Promise<R[]> {
  const client = new pg.Client({ connectionString: server?.url ?? "" });
  client.on("error", () => {});
  await client.connect();
  try {
    return (await client.query<R>(text)).rows;
  } finally {
    await client.end();
  }
}

/** Searches one after the other until it is stopped; gives what failed. */
function keepSearching(service: Service): { stop(): Promise<{ answered: number; failed: unknown[] }> } {
  const stopping = new AbortController();
  let answered = 0;
  const failed: unknown[] = [];
  const vector = pack(Array.from({ length: DIMENSIONS }, (_, i) => Math.sin(i + 1)));
  const searching = (async () => {
    while (!stopping.signal.aborted) {
      try {
        const query = { case: "vector" as const, value: { data: vector } };
        const { hits } = await service.search.search({ collection: "things", query, k: 10 });
        if (hits.length === 10) answered++;
        else failed.push(new Error(`${hits.length} hits`));
      } catch (error) {
        failed.push(error);
      }
      await sleep(50);
    }
  })();
  return {
    async stop() {
      stopping.abort();
      await searching;
      return { answered, failed };
    },
  };
}

const start = async (service: Service, m: number, indexName = ""): Promise<bigint> => {
  const spec = {
    kind: IndexKind.HNSW,
    quantization: IndexQuantization.NONE,
    m,
    efConstruction: 300,
    indexName,
  };
  const { operation } = await service.index.startIndexBuild({ collection: "things", spec, keepOnMiss: true });
  return operation?.id as bigint;
};

/** The session that loads rows into the index, once there is one other than `besides`; samples are built for plans, too. */
async function builder(besides = 0): Promise<number> {
  for (;;) {
    const rows = await sql<{ pid: number }>(
      `SELECT p.pid FROM pg_stat_progress_create_index p JOIN pg_class c ON c.oid = p.index_relid
        WHERE c.relname LIKE '%_hnsw_idx_new' AND p.phase LIKE 'building index%' AND p.pid <> ${besides}`,
    ).catch(() => []);
    if (rows[0]) return rows[0].pid;
    await sleep(50);
  }
}

async function ended(service: Service, id: bigint): Promise<Operation> {
  for (;;) {
    const found = await service.operations.getOperation({ id }).catch(() => undefined);
    if (found?.operation?.finishedAt) return found.operation;
    await sleep(200);
  }
}

/** One valid index with this m, and nothing beside it. */
async function expectIndex(service: Service, m: number, name?: string): Promise<void> {
  const { indexes } = await service.index.listIndexes({ collection: "things" });
  if (name !== undefined) expect(indexes[0]?.name).toBe(name);
  expect(indexes.map(({ valid, building, parameters }) => [valid, building, parameters["m"]])).toEqual([
    [true, false, String(m)],
  ]);
}

const told = (text: string): void => void process.stderr.write(`${text}\n`);

const whereKillable = (body: () => Promise<void>) => async (): Promise<void> => {
  if (!onPglite) return await body();
  told(`not run, because PGlite has one session for everybody: ${expect.getState().currentTestName}`);
};

test(
  "a service that is killed: another one goes on with its build",
  whereKillable(async () => {
    await using killed = await startService();
    const id = await start(killed, 8, "chosen_hnsw_idx");
    const pid = await builder();
    await using other = await startService();
    const searches = keepSearching(other);
    await killed.kill();
    const at = performance.now();
    await builder(pid);
    const taken = performance.now() - at;
    told(`after SIGKILL of the service another one builds again in ${Math.round(taken)} ms`);
    expect(taken).toBeLessThan(TAKEN_UP_MS);
    const operation = await ended(other, id);
    expect(operation).toMatchObject({ state: OperationState.SUCCEEDED, attempts: 2 });
    expect((await searches.stop()).failed).toEqual([]);
    await expectIndex(other, 8, "chosen_hnsw_idx");
  }),
  PATIENCE_MS,
);

test(
  "a build whose session is ended in the database is begun again",
  whereKillable(async () => {
    await using service = await startService();
    const searches = keepSearching(service);
    const id = await start(service, 10);
    const pid = await builder();
    await sql(`SELECT pg_terminate_backend(${pid})`);
    const at = performance.now();
    await builder(pid);
    told(`after pg_terminate_backend it builds again in ${Math.round(performance.now() - at)} ms`);
    expect((await ended(service, id)).state).toBe(OperationState.SUCCEEDED);
    expect((await searches.stop()).failed).toEqual([]);
    await expectIndex(service, 10);
  }),
  PATIENCE_MS,
);

test(
  "a PostgreSQL that is killed: once it is back searches are answered, and the build is begun again",
  whereKillable(async () => {
    await using service = await startService();
    const id = await start(service, 12);
    const pid = await builder();
    await killPostgres();
    const at = performance.now();
    while (
      !(await sql("SELECT 1").then(
        () => true,
        () => false,
      ))
    )
      await sleep(50);
    const back = performance.now();
    told(`PostgreSQL was back ${Math.round(back - at)} ms after SIGKILL of all its processes`);
    await builder(pid);
    const taken = performance.now() - back;
    told(`it builds again ${Math.round(taken)} ms after that`);
    expect(taken).toBeLessThan(TAKEN_UP_MS);
    const searches = keepSearching(service);
    expect((await ended(service, id)).state).toBe(OperationState.SUCCEEDED);
    const { answered, failed } = await searches.stop();
    expect(answered).toBeGreaterThan(0);
    expect(failed.filter((error) => !isKindredError(error) || error.kind !== "unavailable")).toEqual([]);
    await expectIndex(service, 12);
  }),
  PATIENCE_MS,
);

/** The postmaster and all of its children at once: nobody is left to tidy up. */
async function killPostgres(): Promise<void> {
  const file = join(folder?.path ?? "", "cluster", "postmaster.pid");
  const postmaster = Number((await readFile(file, "utf8")).split("\n")[0]);
  process.kill(postmaster, "SIGSTOP");
  for (const pid of [...(await childrenOf(postmaster)), postmaster]) process.kill(pid, "SIGKILL");
}

async function childrenOf(parent: number): Promise<number[]> {
  const found: number[] = [];
  for (const entry of await readdir("/proc")) {
    if (!/^\d+$/.test(entry)) continue;
    const stat = await readFile(`/proc/${entry}/stat`, "utf8").catch(() => "");
    // The name is in parentheses, and may have spaces in it.
    if (Number(stat.slice(stat.lastIndexOf(")") + 2).split(" ")[1]) === parent) found.push(Number(entry));
  }
  return found;
}
