import { KindredError, type ErrorKind } from "@kindred/errors";
import { StageError, type Stage } from "@kindred/songs";
import { expect, test } from "@jest/globals";
import { EXIT } from "../exit-codes.ts";
import type { Failure } from "../failure.ts";
import { isStageFailure, stageFailure } from "./stage-failure.ts";

const URL = "http://127.0.0.1:1";

const failureOf = (stage: Stage, cause: unknown): Failure =>
  stageFailure(new StageError(stage, cause), URL) as Failure;

const error = (kind: ErrorKind, metadata: Record<string, string> = {}): KindredError =>
  new KindredError(kind, "said", { metadata });

test.each<[Stage, unknown, number]>([
  ["cache", error("resource-exhausted"), EXIT.cannotWrite],
  ["cache", Object.assign(new Error("ENOSPC: no space left"), { code: "ENOSPC" }), EXIT.cannotWrite],
  ["cache", error("data-loss"), EXIT.data],
  ["source", error("data-loss"), EXIT.data],
  ["source", error("invalid-argument"), EXIT.data],
  ["service", error("failed-precondition", { provider_status: "401" }), EXIT.config],
  ["service", error("failed-precondition", { provider_status: "403" }), EXIT.config],
  ["service", error("failed-precondition"), EXIT.failure],
  ["service", error("data-loss"), EXIT.failure],
  ["service", error("unavailable"), EXIT.unavailable],
  ["service", error("resource-exhausted", { provider: "elsewhere" }), EXIT.unavailable],
])("%s: %s ends with %d", (stage, cause, exitCode) => {
  const failure = failureOf(stage, cause);
  expect(failure).toMatchObject({ exitCode, message: expect.stringMatching(/said|ENOSPC/) });
  expect(isStageFailure(failure)).toBe(true);
});

test("a used-up account is not to be tried again in a moment, and a denied key is named as what to mend", () => {
  expect(failureOf("service", error("resource-exhausted", { provider: "elsewhere" })).remedy).toBeUndefined();
  expect(failureOf("service", error("failed-precondition", { provider_status: "401" })).remedy).toContain(
    "key",
  );
});

test("anything else passes as it is", () => {
  const other = new Error("other");
  expect(stageFailure(other, URL)).toBe(other);
  expect(isStageFailure(other)).toBe(false);
});
