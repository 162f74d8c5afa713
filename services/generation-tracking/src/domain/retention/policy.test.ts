import { expect, test } from "@jest/globals";
import fc from "fast-check";
import { policySpec, readPolicySpec, type RetentionPolicy } from "./policy.ts";

test("what an operation keeps of a policy is the policy, but for when it is applied", () => {
  const policies = fc.record({
    name: fc.constant("old"),
    maxAgeMicros: fc.option(fc.bigInt({ min: 60_000_000n, max: 10n ** 17n }), { nil: undefined }),
    maxCount: fc.option(fc.bigInt({ min: 0n, max: 2n ** 63n - 1n }), { nil: undefined }),
    statuses: fc.subarray(["completed", "failed", "cancelled"] as const),
    keepRating: fc.option(fc.integer({ min: 1, max: 5 }), { nil: undefined }),
    keepLabels: fc.array(fc.string()),
    keepParents: fc.boolean(),
    everyMicros: fc.constant(undefined),
  }) satisfies fc.Arbitrary<RetentionPolicy>;
  fc.assert(
    fc.property(policies, (policy) => {
      const kept = JSON.parse(JSON.stringify(policySpec(policy))) as ReturnType<typeof policySpec>;
      expect(readPolicySpec("old", kept)).toEqual(policy);
    }),
  );
  const spec = policySpec({
    name: "old",
    maxAgeMicros: 86_400_500_000n,
    maxCount: 5n,
    statuses: [],
    keepRating: undefined,
    keepLabels: [],
    keepParents: false,
    everyMicros: 1n,
  });
  expect(spec).toEqual({
    max_age: "86400.500000s",
    max_count: "5",
    statuses: [],
    keep_labels: [],
    keep_parents: false,
  });
});
