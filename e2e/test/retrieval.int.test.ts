import { beforeAll, expect, test } from "@jest/globals";
import { readCoco } from "@kindred/bench/coco";
import { DEPTHS, measureRetrieval, type RetrievalReport } from "@kindred/bench/measure-retrieval";
import { describeWithSharedData, sharedData, startStack } from "@kindred/testing";

const COCO = "coco_captions_val2017.json";

describeWithSharedData(COCO, "retrieval on COCO: a picture's second caption finds its first", () => {
  let report: RetrievalReport;

  beforeAll(async () => {
    await using stack = await startStack({ services: ["embedding", "vector-store"] });
    report = await measureRetrieval(
      {
        embedding: stack.addresses["embedding"] as string,
        vectorStore: stack.addresses["vector-store"] as string,
      },
      readCoco(sharedData(COCO) as string).filter((picture) => picture.captions.length >= 2),
    );
  }, 600_000);

  test("the exact computation finds what the model is known to find", () => {
    // Bounds, not targets: a broken pooling or a swapped caption falls far below them.
    expect(report.computed[1]).toBeGreaterThan(20);
    expect(report.computed[10]).toBeGreaterThan(50);
  });

  test.each(DEPTHS)("exact search is within 0.3 points of it in the top %i", (depth) => {
    expect(Math.abs(report.exact[depth] - report.computed[depth])).toBeLessThanOrEqual(0.3);
  });

  test.each(DEPTHS)("search through the HNSW index is within 1 point of it in the top %i", (depth) => {
    expect(Math.abs(report.hnsw[depth] - report.computed[depth])).toBeLessThanOrEqual(1);
  });
});
