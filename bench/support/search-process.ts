// One contestant of search.ts: node support/search-process.ts SETUP      forked by search-contestant.ts, told over IPC what to do
import { readFileSync } from "node:fs";
import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { Client as GrpcClient, credentials } from "@grpc/grpc-js";
import { SearchRequestSchema, SearchResponseSchema } from "@kindred/contracts/vector-store/v1";
import { messageOf } from "@kindred/errors";
import { toVectorParameter } from "@kindred/postgres";
import { Pool, type PoolClient } from "pg";
import { toSql } from "pgvector";
import { percentile } from "../statistics.ts";
import type {
  SearchCommand,
  SearchReply,
  SearchReport,
  SearchRun,
  SearchSetup,
} from "./search-contestant.ts";

const CONNECTIONS = 8;
const PATH = "/kindred.vector_store.v1.SearchService/Search";

const setup = JSON.parse(process.argv[2] as string) as SearchSetup;
const { dimensions, k } = setup;
const file = readFileSync(setup.queries);
const queries = new Float32Array(file.buffer, file.byteOffset, file.byteLength / 4);
const queryCount = queries.length / dimensions;
const queryAt = (i: number): Float32Array => {
  const row = i % queryCount;
  return queries.subarray(row * dimensions, (row + 1) * dimensions);
};

/** Keys of the nearest to the i-th query. */
type Search = (i: number) => Promise<string[]>;

/** Every client has a connection of its own to the database; to the service they share one, as clients of gRPC do. */
interface Searcher {
  clients(count: number, efSearch: number): Promise<Search[]>;
  close(): Promise<unknown>;
}

function grpcSearcher(): Searcher {
  const client = new GrpcClient(setup.address, credentials.createInsecure());
  const search = (i: number, efSearch: number): Promise<string[]> => {
    const vector = queryAt(i);
    const request = create(SearchRequestSchema, {
      collection: setup.collection,
      query: {
        case: "vector",
        value: { data: new Uint8Array(vector.buffer, vector.byteOffset, vector.byteLength) },
      },
      k,
      efSearch,
      projection: { omitMetadata: true, omitDocument: true },
    });
    return new Promise((resolve, reject) => {
      client.makeUnaryRequest(
        PATH,
        (message: typeof request) => Buffer.from(toBinary(SearchRequestSchema, message)),
        (bytes: Buffer) => fromBinary(SearchResponseSchema, bytes),
        request,
        (error, response) => {
          if (error) reject(error);
          else resolve(response?.hits.map((hit) => hit.key) ?? []);
        },
      );
    });
  };
  return {
    clients: (count, efSearch) =>
      Promise.resolve(Array.from({ length: count }, () => (i: number) => search(i, efSearch))),
    close: async () => client.close(),
  };
}

function bareSearcher(parameterAt: (i: number) => unknown): Searcher {
  const pool = new Pool({ connectionString: setup.databaseUrl, max: CONNECTIONS });
  const sql = `SELECT key, embedding <=> $1::vector AS distance FROM ${setup.table} ORDER BY embedding <=> $1::vector LIMIT ${k}`;
  const sessions: PoolClient[] = [];
  return {
    async clients(count, efSearch) {
      while (sessions.length < count) sessions.push(await pool.connect());
      const used = sessions.slice(0, count);
      for (const session of used) await session.query(`SET hnsw.ef_search = ${efSearch}`);
      return used.map((session) => async (i) => {
        const { rows } = await session.query<{ key: string; distance: number }>(sql, [parameterAt(i)]);
        return rows.map(({ key }) => key);
      });
    },
    async close() {
      for (const session of sessions) session.release();
      await pool.end();
    },
  };
}

/**
 * The vectors as people have them who get them from an API: arrays of numbers, nine digits each, which are the float32 values
 * exactly. Making the arrays is not counted, making the text is.
 */
function textSearcher(): Searcher {
  const arrays = Array.from({ length: queryCount }, (_, i) =>
    Array.from(queryAt(i), (value) => Number(value.toPrecision(9))),
  );
  return bareSearcher((i) => toSql(arrays[i % queryCount] as number[]));
}

const SEARCHERS: Record<SearchSetup["kind"], () => Searcher> = {
  grpc: grpcSearcher,
  "pg-text": textSearcher,
  "pg-binary": () => bareSearcher((i) => toVectorParameter(queryAt(i))),
};

let asked = 0;

async function run(searcher: Searcher, { efSearch, clients, seconds }: SearchRun): Promise<SearchReport> {
  const searches = await searcher.clients(clients, efSearch);
  const latencies: number[] = [];
  const startedAt = performance.now();
  const until = startedAt + 1000 * seconds;
  const loop = async (search: Search): Promise<void> => {
    while (performance.now() < until) {
      const sentAt = performance.now();
      const keys = await search(asked++);
      latencies.push(performance.now() - sentAt);
      if (keys.length !== k) throw new Error(`${keys.length} hits, not ${k}`);
    }
  };
  await Promise.all(searches.map(loop));
  return {
    queriesPerSecond: (1000 * latencies.length) / (performance.now() - startedAt),
    p50Ms: percentile(latencies, 0.5),
    p99Ms: percentile(latencies, 0.99),
  };
}

async function answer(searcher: Searcher, command: SearchCommand): Promise<SearchReply> {
  try {
    if ("run" in command) return await run(searcher, command.run);
    const [search] = await searcher.clients(1, command.efSearch);
    const keys: string[][] = [];
    for (let i = 0; i < command.keys; i++) keys.push(await (search as Search)(i));
    return { keys };
  } catch (error) {
    return { error: messageOf(error) };
  }
}

const searcher = SEARCHERS[setup.kind]();
const reply = (message: SearchReply): void => {
  process.send?.(message);
};
process.on("message", (command: SearchCommand) => {
  void answer(searcher, command).then(reply);
});
process.once("disconnect", () => void searcher.close());
reply({ ready: true });
