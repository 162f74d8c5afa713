import { expect, test } from "@jest/globals";
import * as fc from "fast-check";
import { inTextBatches } from "./text-batches.ts";

// oxlint-disable-next-line typescript/require-await -- a source of texts is asynchronous
async function* source(sizes: readonly number[]) {
  let end = 0;
  for (const [i, bytes] of sizes.entries()) {
    end += bytes + 1;
    yield { text: String(i), bytes, end };
  }
}

test("every text is in one batch, in order, and batches are full but not over-full", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.nat(20), { maxLength: 50 }),
      fc.integer({ min: 1, max: 10 }),
      fc.integer({ min: 1, max: 40 }),
      async (sizes, texts, bytes) => {
        const batches = await Array.fromAsync(inTextBatches(source(sizes), { texts, bytes }));
        const sizesOf = (batch: (typeof batches)[number]) =>
          batch.texts.map((text) => sizes[Number(text)] as number);
        const sum = (numbers: number[]) => numbers.reduce((a, b) => a + b, 0);
        expect(batches.flatMap((batch) => batch.texts)).toEqual(sizes.map((_, i) => String(i)));
        let first = 0;
        for (const [i, batch] of batches.entries()) {
          expect(batch.first).toBe(first);
          first += batch.texts.length;
          expect(batch.end).toBe(sum(sizes.slice(0, first)) + first);
          expect(batch.texts.length).toBeLessThanOrEqual(texts);
          // Only a single text may be larger than a batch.
          if (sum(sizesOf(batch)) > bytes) expect(batch.texts).toHaveLength(1);
          const next = batches[i + 1];
          if (next && batch.texts.length < texts) {
            expect(sum(sizesOf(batch)) + (sizesOf(next)[0] as number)).toBeGreaterThan(bytes);
          }
        }
      },
    ),
  );
});
