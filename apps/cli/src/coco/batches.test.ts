import { create } from "@bufbuild/protobuf";
import { describe, expect, test } from "@jest/globals";
import { BatchAddImagesRequestSchema, OnConflict } from "@kindred/contracts/vector-store/v1";
import * as fc from "fast-check";
import { inBatches, toRequest } from "./batches.ts";
import type { CocoPicture } from "./coco-file.ts";

function picture(index: number, captions: number): CocoPicture {
  return {
    fileName: `${index}.jpg`,
    width: 640,
    height: 480,
    captions: Array.from({ length: captions }, (_, i) => ({
      id: 100 * index + i,
      text: `caption ${i} of ${index}`,
    })),
  };
}

describe("inBatches", () => {
  test("every picture is in exactly one batch, in order, and batches are full but not over-full", () => {
    fc.assert(
      fc.property(
        fc.array(fc.nat(12), { maxLength: 60 }),
        fc.integer({ min: 1, max: 40 }),
        (counts, size) => {
          const pictures = counts.map((count, i) => picture(i, count));
          const batches = [...inBatches(pictures, size)];
          expect(batches.flatMap((batch) => batch.pictures)).toEqual(pictures);
          expect(batches.map((batch) => batch.index)).toEqual([...batches.keys()]);
          for (const [i, batch] of batches.entries()) {
            expect(batch.captions).toBe(batch.pictures.reduce((sum, p) => sum + p.captions.length, 0));
            // Only a single picture may be larger than a batch.
            if (batch.captions > size) expect(batch.pictures).toHaveLength(1);
            const next = batches[i + 1]?.pictures[0];
            if (next) expect(batch.captions + next.captions.length).toBeGreaterThan(size);
          }
        },
      ),
    );
  });

  test("no batch has more than 1,000 images", () => {
    const pictures = Array.from({ length: 2_500 }, (_, i) => picture(i, 0));
    expect([...inBatches(pictures, 256)].map((batch) => batch.pictures.length)).toEqual([1_000, 1_000, 500]);
  });
});

test("a batch as it is sent: keys from the file, the first caption as the description", () => {
  const [batch] = inBatches([{ ...picture(3, 2), width: undefined, fileName: "3.JPEG" }], 10);
  const request = create(
    BatchAddImagesRequestSchema,
    toRequest("coco-val2017", batch as NonNullable<typeof batch>),
  );
  expect(request.onConflict).toBe(OnConflict.SKIP);
  expect(request.images).toHaveLength(1);
  expect(request.images[0]).toMatchObject({
    image: {
      imagePath: "coco/val2017/3.JPEG",
      description: "caption 0 of 3",
      height: 480,
      format: "jpg",
      sourceDataset: "coco-val2017",
    },
    embeddings: [
      {
        key: "coco-caption-300",
        source: { case: "text", value: "caption 0 of 3" },
        embeddingType: "text",
        metadata: { annotation_id: 300 },
      },
      { key: "coco-caption-301", source: { case: "text", value: "caption 1 of 3" } },
    ],
  });
  expect(request.images[0]?.image?.width).toBeUndefined();
});
