import { expect, test } from "@jest/globals";
import { namedIn } from "./promql.ts";

const named = (expression: string) => {
  const { metrics, labels } = namedIn(expression);
  return { metrics: [...metrics], labels: [...labels] };
};

test("metrics are told from functions, labels, durations and texts", () => {
  expect(
    named(
      `histogram_quantile(0.99, sum by (component, le) (rate(a_bucket{code=~"in_text{x}", method!="b"}[5m]))) > 1e3
       and on (peer) b:c unless d offset 1h == bool 0`,
    ),
  ).toEqual({
    metrics: ["a_bucket", "b:c", "d"],
    labels: ["component", "le", "peer", "code", "method"],
  });
});

test("an aggregation may come after what it aggregates, and without labels", () => {
  expect(named("max(a) + count(b) by (x)")).toEqual({ metrics: ["a", "b"], labels: ["x"] });
});
