// How often a picture's second caption finds the picture by its first one: computed exactly, by exact search, through HNSW.
// usage: node bench/retrieval.ts      needs ../shared/data/coco_captions_val2017.json
import { sharedData, startStack } from "@kindred/testing";
import { readCoco } from "./coco.ts";
import { DEPTHS, measureRetrieval } from "./measure-retrieval.ts";

const path = sharedData("coco_captions_val2017.json");
if (path === undefined) {
  console.error("skipped: ../shared/data/coco_captions_val2017.json is not there");
} else {
  await using stack = await startStack({ services: ["embedding", "vector-store"] });
  const pictures = readCoco(path).filter((picture) => picture.captions.length >= 2);
  const report = await measureRetrieval(
    {
      embedding: stack.addresses["embedding"] as string,
      vectorStore: stack.addresses["vector-store"] as string,
    },
    pictures,
  );
  console.log(`${report.pictures} pictures; percent of the second captions that find their picture in the`);
  console.log(["", ...DEPTHS.map((depth) => `top ${depth}`)].map((cell) => cell.padEnd(16)).join(""));
  for (const way of ["computed", "exact", "hnsw"] as const) {
    const cells = DEPTHS.map((depth) => report[way][depth].toFixed(2));
    console.log([way, ...cells].map((cell) => cell.padEnd(16)).join(""));
  }
}
