// Lists the benchmarks. Each is a plain script that prints ratios of one run; none of them asserts anything.
const BENCHMARKS: Record<string, string> = {
  "embedding.ts": "in-process batches against the gRPC Embed call; fp32 against int8; latency of one text",
  "import.ts": "captions/s from a COCO file to searchable, against what the model alone does",
  "retrieval.ts": "how often a second caption finds its picture: computed, exact search, HNSW",
};

console.log("usage: npx node bench/<name>\n");
for (const [name, what] of Object.entries(BENCHMARKS)) console.log(`  ${name.padEnd(16)} ${what}`);
