import { readFileSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import * as fc from "fast-check";
import { Priority } from "@kindred/contracts/embedding/v1";
import { describeWithSharedData } from "@kindred/testing";
import { cosine, parseCsv, spearman, startService, vectorsOf, type RunningService } from "./fixture.ts";
import { REFERENCE_TEXTS, sentences } from "./reference-texts.ts";

interface Golden {
  items: { text: string; tokens: number; embedding: number[] }[];
}

/** What each precision has to reach against float32 vectors of the original model. */
const DEMANDS = {
  fp32: { worst: 0.99999, mean: 0.99999, component: 2e-5, spearman: 86.7, independence: 0.999_999_9 },
  int8: { worst: 0.99, mean: 0.998, component: 0.03, spearman: 86.6, independence: 0.999_999 },
};

describe.each(["fp32", "int8"] as const)("%s", (precision) => {
  const demands = DEMANDS[precision];
  let service: RunningService;
  beforeAll(async () => {
    // Without a cache every vector is computed, also that of a text that came before.
    service = await startService({ EMBEDDING_PRECISION: precision, EMBEDDING_CACHE_BYTES: "0" });
  }, 600_000);
  afterAll(async () => {
    await service[Symbol.asyncDispose]();
  });

  test("reference texts: vectors, token counts, what was cut", async () => {
    const reply = await service.client.embed({ texts: REFERENCE_TEXTS.map(({ text }) => text) });
    expect(reply.tokenCounts).toEqual(REFERENCE_TEXTS.map(({ tokens }) => tokens));
    expect(reply.truncated).toEqual(REFERENCE_TEXTS.map(({ truncated }) => truncated));
    const vectors = vectorsOf(reply);
    for (const [i, { vector }] of REFERENCE_TEXTS.entries()) {
      for (const [c, value] of vector.entries()) {
        expect(Math.abs((vectors[i]?.[c] as number) - value)).toBeLessThan(demands.component);
      }
    }
  });

  test("every vector has length 1", async () => {
    for (const vector of vectorsOf(await service.client.embed({ texts: sentences(40) }))) {
      expect(Math.hypot(...vector)).toBeCloseTo(1, 5);
    }
  });

  test("a text's vector does not depend on the texts around it, on their order or on padding", async () => {
    const texts = [...REFERENCE_TEXTS.map(({ text }) => text), ...sentences(60)];
    const alone = await Promise.all(
      texts.map(async (text) => vectorsOf(await service.client.embed({ texts: [text] }))[0] as Float32Array),
    );
    const companies = fc.array(fc.nat({ max: texts.length - 1 }), { minLength: 2, maxLength: 80 });
    await fc.assert(
      fc.asyncProperty(companies, async (picks) => {
        const reply = await service.client.embed({
          texts: picks.map((pick) => texts[pick] as string),
          priority: Priority.BULK,
        });
        for (const [i, vector] of vectorsOf(reply).entries()) {
          const expected = alone[picks[i] as number] as Float32Array;
          expect(cosine(vector, expected)).toBeGreaterThan(demands.independence);
        }
      }),
      { numRuns: 8 },
    );
  }, 120_000);

  test("Tokenize gives the tokens that Embed counts", async () => {
    const reply = await service.client.tokenize({ texts: ["A cat sleeps.", "rain ".repeat(400)] });
    expect(reply.results[0]).toMatchObject({
      tokens: ["[CLS]", "a", "cat", "sleeps", ".", "[SEP]"],
      ids: [101, 1037, 4937, 25_126, 1012, 102],
      truncated: false,
    });
    expect(reply.results[1]?.ids).toHaveLength(256);
    expect(reply.results[1]?.truncated).toBe(true);
  });

  describeWithSharedData("minilm/golden.json", "golden vectors", (path) => {
    const load = () => (JSON.parse(readFileSync(path, "utf8")) as Golden).items;

    test("agree, and so do all token counts", async () => {
      const golden = load();
      const reply = await service.client.embed({ texts: golden.map(({ text }) => text) });
      expect(reply.tokenCounts).toEqual(golden.map(({ tokens }) => tokens));
      const cosines = vectorsOf(reply).map((vector, i) => cosine(vector, golden[i]?.embedding ?? []));
      expect(Math.min(...cosines)).toBeGreaterThanOrEqual(demands.worst);
      expect(cosines.reduce((sum, value) => sum + value, 0) / cosines.length).toBeGreaterThanOrEqual(
        demands.mean,
      );
    });
  });

  describeWithSharedData("stsb-en-dev.csv", "STS-B dev", (path) => {
    test(`Spearman of at least ${demands.spearman}`, async () => {
      const pairs = parseCsv(readFileSync(path, "utf8"));
      expect(pairs).toHaveLength(1500);
      const texts = pairs.flatMap(([first, second]) => [first as string, second as string]);
      const vectors = vectorsOf(await service.client.embed({ texts, priority: Priority.BULK }));
      const scores = pairs.map((_, i) =>
        cosine(vectors[2 * i] as Float32Array, vectors[2 * i + 1] as Float32Array),
      );
      const correlation =
        100 *
        spearman(
          scores,
          pairs.map(([, , score]) => Number(score)),
        );
      // As the figure is written: one decimal.
      expect(Number(correlation.toFixed(1))).toBeGreaterThanOrEqual(demands.spearman);
    }, 180_000);
  });
});
