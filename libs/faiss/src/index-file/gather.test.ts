import { expect, test } from "@jest/globals";
import * as fc from "fast-check";
import { gather } from "./gather.ts";
import type { IndexSource } from "./index-source.ts";

const SIZE = 3_000_000;
const content = Uint8Array.from({ length: SIZE }, (_, i) => (i * 2_654_435_761) >>> 24);

function sourceOf(reads: { at: number; bytes: number }[]): IndexSource {
  const source: Pick<IndexSource, "path" | "size" | "read"> = {
    path: "memory",
    size: SIZE,
    read: (into, at) => {
      reads.push({ at, bytes: into.byteLength });
      into.set(content.subarray(at, at + into.byteLength));
      return Promise.resolve();
    },
  };
  return source as IndexSource;
}

test("gives every piece its bytes, in the order that was asked for, also those that overlap or come twice", async () => {
  const place = fc.oneof(fc.integer({ min: 0, max: SIZE - 40 }), fc.integer({ min: 1000, max: 1200 }));
  await fc.assert(
    fc.asyncProperty(
      fc.array(place, { maxLength: 200 }),
      fc.integer({ min: 1, max: 40 }),
      async (places, bytes) => {
        const reads: { at: number; bytes: number }[] = [];
        const found = await gather(sourceOf(reads), Float64Array.from(places), bytes);
        expect(
          Buffer.compare(found, Buffer.concat(places.map((at) => content.subarray(at, at + bytes)))),
        ).toBe(0);
        // Nothing is held for long: a turn is a mebibyte at most.
        for (const read of reads) expect(read.bytes).toBeLessThanOrEqual(1024 * 1024);
      },
    ),
  );
});

test("reads neighbours in one turn, in whatever order they are asked for", async () => {
  const reads: { at: number; bytes: number }[] = [];
  const places = Float64Array.from({ length: 1000 }, (_, i) => 500 + 32 * ((i * 617) % 1000));
  await gather(sourceOf(reads), places, 32);
  expect(reads).toEqual([{ at: 500, bytes: 32_000 }]);
});

test("stops when its signal is aborted", async () => {
  const reads: { at: number; bytes: number }[] = [];
  const places = Float64Array.from([0, 1_000_000]);
  await expect(gather(sourceOf(reads), places, 4, AbortSignal.abort(new Error("enough")))).rejects.toThrow(
    "enough",
  );
  expect(reads).toEqual([]);
});
