import { expect, test } from "@jest/globals";
import * as fc from "fast-check";
import { splitTexts } from "./split-texts.ts";
import { mostTokens, TokenEstimate } from "./token-estimate.ts";

test("parts hold all texts in order, and each keeps the limits unless a text alone is too large", () => {
  const limits = fc.record({
    maxTexts: fc.integer({ min: 1, max: 5 }),
    maxTokensPerRequest: fc.integer({ min: 1, max: 60 }),
    maxTokens: fc.integer({ min: 1, max: 40 }),
  });
  fc.assert(
    fc.property(
      fc.array(fc.string({ unit: "grapheme", maxLength: 30 }), { maxLength: 30 }),
      limits,
      (texts, limit) => {
        const parts = splitTexts(texts, limit);
        expect(parts.flatMap((part) => part.texts)).toEqual(texts);
        let first = 0;
        for (const [i, part] of parts.entries()) {
          expect(part.first).toBe(first);
          first += part.texts.length;
          expect(part.texts.length).toBeGreaterThan(0);
          expect(part.texts.length).toBeLessThanOrEqual(limit.maxTexts);
          const sum = part.texts.reduce((tokens, text) => tokens + mostTokens(text, limit.maxTokens), 0);
          expect(part.mostTokens).toBe(sum);
          if (part.texts.length > 1) expect(sum).toBeLessThanOrEqual(limit.maxTokensPerRequest);
          // No part could have taken the text that begins the next one.
          const next = parts[i + 1]?.texts[0];
          if (next === undefined || part.texts.length === limit.maxTexts) continue;
          expect(sum + mostTokens(next, limit.maxTokens)).toBeGreaterThan(limit.maxTokensPerRequest);
        }
      },
    ),
  );
});

test("a text has a token a byte at most, and no more than the model takes", () => {
  expect(mostTokens("", 100)).toBe(2);
  expect(mostTokens("héllo", 100)).toBe(8);
  expect(mostTokens("x".repeat(200), 100)).toBe(100);
});

test("the estimate follows dear texts at once, and cheap ones slowly", () => {
  const estimate = new TokenEstimate();
  expect(estimate.expected(1000)).toBe(1000);
  estimate.learn(1000, 200);
  expect(estimate.expected(1000)).toBe(922);
  for (let i = 0; i < 200; i++) estimate.learn(1000, 200);
  expect(estimate.expected(1000)).toBe(221);
  estimate.learn(1000, 500);
  expect(estimate.expected(1000)).toBe(550);
  estimate.learn(1000, 5000);
  expect(estimate.expected(1000)).toBe(1000);
});

test("the estimate learns nothing from nonsense, and expects something of every text", () => {
  const estimate = new TokenEstimate();
  for (const actual of [0, -1, Number.NaN]) estimate.learn(1000, actual);
  estimate.learn(0, 5);
  expect(estimate.expected(1000)).toBe(1000);
  for (let i = 0; i < 500; i++) estimate.learn(1_000_000, 1);
  expect(estimate.expected(1)).toBe(1);
  expect(estimate.mostFor(1000)).toBeCloseTo(20_000);
});
