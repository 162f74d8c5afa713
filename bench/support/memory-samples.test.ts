import { expect, test } from "@jest/globals";
import { residentMemory, trendOf } from "./memory-samples.ts";

const everySecond = (value: (second: number) => number) =>
  Array.from({ length: 300 }, (_, second) => ({ at: 1000 * second, value: value(second) }));

test("a saw-tooth over a constant floor is flat by its lowest values", () => {
  const { growth, level } = trendOf(
    everySecond((second) => 100 + (second % 5)),
    "lowest",
  );
  expect(level).toBe(100);
  expect(growth).toBe(0);
});

test("a leak under a saw-tooth is found", () => {
  const { slope, growth } = trendOf(
    everySecond((second) => 100 + second / 10 + 3 * (second % 5)),
    "lowest",
  );
  expect(slope).toBeCloseTo(0.1, 5);
  expect(growth).toBeGreaterThan(0.2);
});

test("one jump in the last minute does not make a trend of flat memory", () => {
  const { growth } = trendOf(
    everySecond((second) => (second > 280 ? 150 : 100)),
    "median",
  );
  expect(growth).toBe(0);
});

(process.platform === "linux" ? test : test.skip)("resident memory is what the process itself sees", () => {
  const { rss } = residentMemory(process.pid);
  expect(rss / process.memoryUsage.rss()).toBeCloseTo(1, 0);
});
