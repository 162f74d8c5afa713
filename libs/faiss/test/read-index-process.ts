// Reads an index as a process of its own, and prints what it took: {"rows", "marked", "peakMib", "baseMib"}.
// usage: node read-index-process.ts FILE
import { openFaissIndex } from "@kindred/faiss";

const peakMib = (): number => process.resourceUsage().maxRSS / 1024;

const baseMib = peakMib();
await using index = await openFaissIndex(process.argv[2] ?? "");
let rows = 0;
// Ids of the vectors that begin with their own id; all others are zeros.
const marked: number[] = [];
for await (const { ids, vectors } of index.batches()) {
  rows += ids.length;
  for (let i = 0; i < ids.length; i++) {
    const first = vectors[i * index.dimensions] as number;
    if (first !== 0 && BigInt(first) === ids[i]) marked.push(first);
  }
}
process.stdout.write(JSON.stringify({ rows, marked, peakMib: peakMib(), baseMib }));
