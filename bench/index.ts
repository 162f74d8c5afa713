// Lists the benchmarks. Each is a plain script that prints what it measured in one run; bench/README.md says what each shows.
const BENCHMARKS: Record<string, string> = {
  "embedding.ts":
    "sentences/s through gRPC, of the bare model, of transformers.js and of sentence-transformers",
  "latency.ts": "one text and health, idle and while somebody embeds in bulk",
  "concurrency.ts": "256 clients at once: every answer right, no error but RESOURCE_EXHAUSTED",
  "soak.ts": "memory of the embedding service under mixed traffic: flat or not",
  "tokenization.ts": "the JavaScript tokenizer against the native one, and its share of the whole",
  "import.ts": "captions/s from a COCO file to searchable, against what the model alone does",
  "search.ts": "searches/s and latency through gRPC, against the same SQL by bare pg",
  "ingest.ts": "rows/s of Ingest through gRPC, against a bare COPY BINARY of the same rows",
  "copy.ts": "Ingest by COPY into song_embeddings, against INSERTs of many rows and of one",
  "songs-crash.ts":
    "kindred songs killed at random points, and gone on with: the same result every time or not",
  "songs.ts": "songs from a PostgreSQL to searchable vectors: seconds and peak memory of each command",
  "embedding-cache.ts": "MB/s of the embedding cache, written and read, against the same bytes barely",
  "parquet.ts": "songs to Parquet and back, against parquet-wasm, DuckDB and Polars",
  "filtered.ts": "searches under filters that pass 50 % to 0.05 %: full k, recall, method, latency",
  "index-plan.ts": "indexes as they were foretold: bytes and time of the build, ratios",
  "recall.ts": "targets of recall against what searches get, what they cost, and estimates against the truth",
  "fallback.ts": "searches without pgvector: exact, how fast, and in how much memory",
  "reembed.ts":
    "searches while captions move into another space: failures, wrong spaces, latency, time by phase",
  "metrics.ts":
    "samples/s into the metrics service, by streams and by calls: whether it keeps up, and the cost",
  "retrieval.ts": "how often a second caption finds its picture: computed, exact search, HNSW",
};

console.log("usage: npx node bench/<name>\n");
for (const [name, what] of Object.entries(BENCHMARKS)) console.log(`  ${name.padEnd(18)} ${what}`);
