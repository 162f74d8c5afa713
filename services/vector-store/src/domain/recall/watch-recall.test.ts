import { expect, test } from "@jest/globals";
import { eventOf } from "./watch-recall.ts";

const measured = (recall: number, lower: number, upper: number, recallTarget: number | undefined = 0.95) => ({
  recall,
  lower,
  upper,
  recallTarget,
});

test.each([
  ["below for sure", measured(0.9, 0.87, 0.93), undefined, { met: false }],
  ["below for sure again", measured(0.9, 0.87, 0.93), { met: false }, undefined],
  ["below again after it was met", measured(0.9, 0.87, 0.93), { met: true }, { met: false }],
  ["below by chance, perhaps", measured(0.94, 0.92, 0.96), undefined, undefined],
  ["still below, perhaps", measured(0.94, 0.92, 0.96), { met: false }, undefined],
  ["met, as it was", measured(0.97, 0.955, 0.98), undefined, undefined],
  ["met again", measured(0.97, 0.94, 0.98), { met: false }, { met: true }],
  ["met again already", measured(0.97, 0.94, 0.98), { met: true }, undefined],
])("recall that is %s", (_, measurement, last, event) => {
  expect(eventOf(measurement, last)).toEqual(event);
});

test("without a target there is nothing to tell", () => {
  expect(eventOf({ ...measured(0.1, 0, 0.2), recallTarget: undefined }, undefined)).toBeUndefined();
});
