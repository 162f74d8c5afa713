import { describe, expect, test } from "@jest/globals";
import { resumedStream, type Watched } from "./resumed-stream.ts";

const deps = { sleep: () => Promise.resolve(), now: () => 0, onWaiting: () => {}, onResumed: () => {} };
const options = { patienceMs: 0, signal: new AbortController().signal };

describe("a stream that is resumed", () => {
  test("lets go of a call that is left early, and of the timer of its deadline", async () => {
    let deadline: "runs" | "cleared" = "runs";
    const watched: Watched<string> = {
      what: "the watching",
      isOver: () => false,
      // As Connect has it: whoever reads after the call was aborted clears the timer, and nobody else does.
      open: (signal) => ({
        [Symbol.asyncIterator]: () => ({
          next: () => {
            if (!signal.aborted) return Promise.resolve({ done: false, value: "an update" });
            deadline = "cleared";
            return Promise.reject(new Error("aborted"));
          },
        }),
      }),
    };
    for await (const update of resumedStream(watched, deps, options)) {
      expect(update).toBe("an update");
      break;
    }
    expect(deadline).toBe("cleared");
  });
});
