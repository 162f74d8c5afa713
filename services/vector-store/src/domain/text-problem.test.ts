import { expect, test } from "@jest/globals";
import type { JsonObject } from "./image.ts";
import { metadataProblem } from "./text-problem.ts";

const nested = (levels: number): JsonObject => (levels === 1 ? {} : { inner: nested(levels - 1) });

test("metadata that binary readers would refuse is refused, however deep it is", () => {
  expect(metadataProblem(nested(30))).toBeUndefined();
  expect(metadataProblem({ list: [[[nested(27)]]] })).toBe("must be at most 30 levels deep");
  for (const levels of [31, 5000])
    expect(metadataProblem(nested(levels))).toBe("must be at most 30 levels deep");
});
