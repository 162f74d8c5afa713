import { expect, test } from "@jest/globals";
import { operationStanding, operationTitle } from "./describe-operation.ts";

const terms = { subject: "collection", kinds: { "index-build": "index build" } };

test("operations are named and described in their service's own terms", () => {
  expect(operationTitle(terms, { id: 12n, kind: "index-build" })).toBe("operation 12 (index build)");
  expect(operationTitle({ ...terms, idPrefix: "g" }, { id: 12n, kind: "index-build" })).toBe(
    "operation g12 (index build)",
  );
  expect(operationStanding({ state: "cancelling" })).toBe("is being cancelled");
});
