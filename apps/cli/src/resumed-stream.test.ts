import { describe, expect, test } from "@jest/globals";
import { KindredError } from "@kindred/errors";
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

  describe("whose service is away", () => {
    const away = new KindredError("unavailable", "nobody listens");
    const patient = { ...options, patienceMs: 300_000 };

    /** Streams that give an update each, or fail. */
    function streams(...each: ("an update" | KindredError)[]): {
      calls: () => number;
      watched: Watched<string>;
    } {
      let calls = 0;
      return {
        calls: () => calls,
        watched: {
          what: "the watching",
          isOver: () => calls === each.length,
          open: async function* () {
            const next = each[calls++];
            if (next instanceof KindredError) throw next;
            if (next !== undefined) yield next;
          },
        },
      };
    }

    test("fails at once where it has never answered", async () => {
      const { watched, calls } = streams(away, "an update");
      const updates = resumedStream(watched, deps, patient);
      await expect(updates.next()).rejects.toBe(away);
      expect(calls()).toBe(1);
    });

    test.each([[false], [true]])(
      "waits for it where it has answered (another call: %s)",
      async (hasAnswered) => {
        const { watched, calls } = hasAnswered
          ? streams(away, "an update")
          : streams("an update", away, "an update");
        const seen = [];
        for await (const update of resumedStream({ ...watched, hasAnswered }, deps, patient))
          seen.push(update);
        expect(seen).toHaveLength(hasAnswered ? 1 : 2);
        expect(calls()).toBe(hasAnswered ? 2 : 3);
      },
    );
  });
});
