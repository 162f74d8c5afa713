import { describe, expect, test } from "@jest/globals";
import { sparkline } from "./sparkline.ts";

describe("a sparkline", () => {
  test("goes from the least value to the greatest", () => {
    const values = [0, 1, 2, 3, 4, 5, 6, 7].map((value, i) => ({ at: i / 8, value }));
    expect(sparkline(values, 8)).toBe("▁▂▃▄▅▆▇█");
  });

  test("has gaps where nothing was measured, and its ends where the period has them", () => {
    expect(
      sparkline(
        [
          { at: 0, value: 1 },
          { at: 0.5, value: 3 },
          { at: 1, value: 2 },
        ],
        5,
      ),
    ).toBe("▁ █ ▅");
  });

  test("shows a peak however narrow it is", () => {
    const values = Array.from({ length: 100 }, (_, i) => ({ at: i / 100, value: i === 42 ? 9 : 1 }));
    expect(sparkline(values, 4)).toBe("▁█▁▁");
  });

  test("of equal values lies in the middle; of none is empty", () => {
    expect(sparkline([{ at: 0.2, value: 7 }], 3)).toBe("▅  ");
    expect(sparkline([], 3)).toBe("   ");
  });
});
