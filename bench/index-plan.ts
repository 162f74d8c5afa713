// What PlanIndex foretells against what indexes turn out to be: bytes on disk and time of the build.
// usage: node bench/index-plan.ts [--rows 25000,100000] [--dimensions 384]
import { parseArgs } from "node:util";
import { createClient } from "@connectrpc/connect";
import {
  IndexKind,
  IndexQuantization,
  IndexService,
  type IndexForecast,
  type IndexSpec,
} from "@kindred/contracts/vector-store/v1";
import { openChannel } from "@kindred/rpc";
import { clusteredVectors } from "./support/clustered-vectors.ts";
import { fillCollection, startVectorStore } from "./support/vector-service.ts";

const { values: options } = parseArgs({
  options: {
    rows: { type: "string", default: "25000,100000" },
    dimensions: { type: "string", default: "384" },
  },
});

const SIZE_TOLERANCE = 1.15;
const TIME_TOLERANCE = 2;
const dimensions = Number(options.dimensions);
const { NONE, HALFVEC, BINARY } = IndexQuantization;
const KINDS: [name: string, kind: IndexKind, quantization: IndexQuantization][] = [
  ["HNSW", IndexKind.HNSW, NONE],
  ["HNSW halfvec", IndexKind.HNSW, HALFVEC],
  ["HNSW bit", IndexKind.HNSW, BINARY],
  ["IVFFlat", IndexKind.IVFFLAT, NONE],
  ["IVFFlat halfvec", IndexKind.IVFFLAT, HALFVEC],
  ["IVFFlat bit", IndexKind.IVFFLAT, BINARY],
  ["DiskANN", IndexKind.DISKANN, NONE],
];
const METHODS = new Map<IndexKind, string>([
  [IndexKind.HNSW, "hnsw"],
  [IndexKind.IVFFLAT, "ivfflat"],
  [IndexKind.DISKANN, "diskann"],
]);

await using store = await startVectorStore({ extensions: ["vector", "vectorscale"] });
console.log(store.database);
const { rows: installed } = await store.sql.query("SELECT 1 FROM pg_extension WHERE extname = 'vectorscale'");
const kinds = KINDS.filter(([, kind]) => kind !== IndexKind.DISKANN || installed.length > 0);
await using channel = openChannel({ address: store.address, defaultTimeoutMs: 600_000 });
const indexes = createClient(IndexService, channel.transport);

let failed = false;
for (const rows of options.rows.split(",").map(Number)) {
  const name = `rows_${rows}`;
  const source = clusteredVectors({ dimensions, clusters: 300 });
  const table = await fillCollection(store, { name, source, count: rows });
  await store.sql.query(`VACUUM ANALYZE ${table}`);
  console.log(`\n${rows} x ${dimensions}`);
  console.log(
    "  index                 foretold MB   actual MB  ratio   foretold s    actual s  ratio  by a sample",
  );
  for (const [title, kind, quantization] of kinds) {
    const spec = { kind, quantization };
    const { chosen } = await indexes.planIndex({ collection: name, spec, calibrate: true });
    if (!chosen?.spec) throw new Error(`no plan for ${title}`);
    report(title, chosen, await build(table, chosen.spec));
  }
}
if (failed) {
  console.error("\na forecast was off by more than 15 % of the bytes, or more than twice the time");
  process.exitCode = 1;
}

/** As the service builds it. */
async function build(table: string, spec: IndexSpec): Promise<{ bytes: number; seconds: number }> {
  const held =
    spec.quantization === HALFVEC
      ? `(embedding::halfvec(${dimensions})) halfvec_cosine_ops`
      : spec.quantization === BINARY
        ? `(binary_quantize(embedding)::bit(${dimensions})) bit_hamming_ops`
        : "embedding vector_cosine_ops";
  const parameters =
    spec.kind === IndexKind.HNSW
      ? `WITH (m = ${spec.m}, ef_construction = ${spec.efConstruction})`
      : spec.kind === IndexKind.IVFFLAT
        ? `WITH (lists = ${spec.lists})`
        : "";
  const startedAt = performance.now();
  await store.sql.query(
    `CREATE INDEX CONCURRENTLY bench_idx ON ${table} USING ${METHODS.get(spec.kind)} (${held}) ${parameters}`,
  );
  const seconds = (performance.now() - startedAt) / 1000;
  const { rows } = await store.sql.query<{ bytes: string }>(
    "SELECT pg_relation_size('vector_store.bench_idx') AS bytes",
  );
  await store.sql.query("DROP INDEX vector_store.bench_idx");
  return { bytes: Number(rows[0]?.bytes), seconds };
}

function report(title: string, forecast: IndexForecast, actual: { bytes: number; seconds: number }): void {
  const bytes = Number(forecast.sizeBytes);
  const seconds = Number(forecast.buildTime?.seconds ?? 0) + (forecast.buildTime?.nanos ?? 0) / 1e9;
  const [size, time] = [bytes / actual.bytes, seconds / actual.seconds];
  failed ||= Math.max(size, 1 / size) > SIZE_TOLERANCE || Math.max(time, 1 / time) > TIME_TOLERANCE;
  console.log(
    [
      `  ${title.padEnd(20)}`,
      (bytes / 1e6).toFixed(2).padStart(12),
      (actual.bytes / 1e6).toFixed(2).padStart(11),
      size.toFixed(3).padStart(6),
      seconds.toFixed(2).padStart(12),
      actual.seconds.toFixed(2).padStart(11),
      time.toFixed(2).padStart(6),
      `  ${forecast.calibrated ? "yes" : "no"}`,
    ].join(" "),
  );
}
