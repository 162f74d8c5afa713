import { readFileSync } from "node:fs";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { isKindredError } from "@kindred/errors";
import { temporaryFolder } from "@kindred/testing";
import * as fc from "fast-check";
import { allFiles } from "./fixtures.ts";
import { readAll } from "./read-all.ts";

let folder: Awaited<ReturnType<typeof temporaryFolder>>;
beforeAll(async () => {
  folder = await temporaryFolder();
});
afterAll(async () => {
  await folder[Symbol.asyncDispose]();
});

const files = allFiles().map((path) => ({ path, content: readFileSync(path) }));
const anyFile = fc.constantFrom(...files);

const FINE = ["an error", "vectors"];

/** "an error" that says what is wrong, or as many "vectors" as the file has room for; otherwise what is bad. */
async function outcomeOf(content: Uint8Array): Promise<string> {
  const path = join(folder.path, "damaged.bin");
  await writeFile(path, content);
  try {
    const { index, ids, vectors } = await readAll(path);
    const { count, dimensions } = index;
    if (ids.length !== count || vectors.length !== count * dimensions)
      return `${ids.length} ids and ${vectors.length} numbers for ${count} vectors`;
    // A number of any kind takes a byte at least.
    return vectors.length <= content.length
      ? "vectors"
      : `${vectors.length} numbers from ${content.length} bytes`;
  } catch (error) {
    const good = isKindredError(error) && ["data-loss", "unimplemented"].includes(error.kind);
    return good && error.message.includes(path) ? "an error" : String(error);
  }
}

test("any byte changed: an error, or vectors", async () => {
  await fc.assert(
    fc.asyncProperty(
      anyFile,
      fc.nat(),
      fc.integer({ min: 1, max: 255 }),
      async ({ content }, place, flip) => {
        const copy = Buffer.from(content);
        const at = place % copy.length;
        copy[at] = (copy[at] as number) ^ flip;
        expect(FINE).toContain(await outcomeOf(copy));
      },
    ),
    { numRuns: 400 },
  );
}, 120_000);

test("any field made as large or as small as can be: an error, or vectors", async () => {
  const values = [
    2n ** 64n - 1n,
    2n ** 63n,
    2n ** 63n - 1n,
    2n ** 53n,
    2n ** 40n,
    2n ** 32n,
    2n ** 31n,
    1n,
    0n,
  ];
  await fc.assert(
    fc.asyncProperty(
      anyFile,
      fc.nat({ max: 400 }),
      fc.constantFrom(...values),
      async ({ content }, place, value) => {
        const copy = Buffer.from(content);
        copy.writeBigUInt64LE(value, place % (copy.length - 8));
        expect(FINE).toContain(await outcomeOf(copy));
      },
    ),
    { numRuns: 400 },
  );
}, 120_000);

test("cut anywhere, with anything put in its place: an error, or vectors", async () => {
  await fc.assert(
    fc.asyncProperty(
      anyFile,
      fc.nat(),
      fc.uint8Array({ maxLength: 64 }),
      async ({ content }, place, tail) => {
        expect(FINE).toContain(
          await outcomeOf(Buffer.concat([content.subarray(0, place % content.length), tail])),
        );
      },
    ),
    { numRuns: 400 },
  );
}, 120_000);

test("one file put into another: an error, or vectors", async () => {
  await fc.assert(
    fc.asyncProperty(anyFile, anyFile, fc.nat({ max: 600 }), async (outer, inner, place) => {
      expect(FINE).toContain(
        await outcomeOf(Buffer.concat([outer.content.subarray(0, place), inner.content])),
      );
    }),
    { numRuns: 400 },
  );
}, 120_000);
