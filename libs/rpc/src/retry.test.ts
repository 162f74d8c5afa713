import { describe, expect, jest, test } from "@jest/globals";
import { createContextValues } from "@connectrpc/connect";
import { EmbeddingService } from "@kindred/contracts/embedding/v1";
import { ImageService } from "@kindred/contracts/vector-store/v1";
import { KindredError } from "@kindred/errors";
import { mayRetry, retryable, retryDelay, withRetry } from "./retry.ts";

const policy = { attempts: 4, initialBackoffMs: 100, maxBackoffMs: 300 };
const unavailable = new KindredError("unavailable", "away");

describe("which calls", () => {
  test("only reads are sent again, and writes whose caller says so", () => {
    expect(mayRetry(EmbeddingService.method.embed, undefined)).toBe(true);
    expect(mayRetry(ImageService.method.addImage, undefined)).toBe(false);
    expect(mayRetry(ImageService.method.addImage, createContextValues().set(retryable, true))).toBe(true);
  });
});

describe("when", () => {
  test("only UNAVAILABLE is tried again, and only so often", () => {
    expect(retryDelay(policy, 2, new KindredError("resource-exhausted", "no"), () => 1)).toBeUndefined();
    expect(retryDelay(policy, 4, unavailable, () => 1)).toBe(300);
    expect(retryDelay(policy, 5, unavailable, () => 1)).toBeUndefined();
  });

  test("the pause doubles up to its limit, with full jitter", () => {
    expect([2, 3, 4].map((attempt) => retryDelay(policy, attempt, unavailable, () => 1))).toEqual([
      100, 200, 300,
    ]);
    expect(retryDelay(policy, 3, unavailable, () => 0)).toBe(0);
  });

  test("the jitter comes after what the peer asked for, so that its callers do not come back all at once", () => {
    const asked = new KindredError("unavailable", "away", { retryAfterMs: 750 });
    expect(retryDelay(policy, 2, asked, () => 0)).toBe(750);
    expect(retryDelay(policy, 2, asked, () => 1)).toBe(850);
  });
});

describe("withRetry", () => {
  const fast = { attempts: 4, initialBackoffMs: 1, maxBackoffMs: 1 };
  const options = { policy: fast, deadline: Infinity, signal: undefined };

  test("gives the first value there is", async () => {
    const once = jest.fn<() => Promise<string>>();
    once.mockRejectedValueOnce(unavailable).mockRejectedValueOnce(unavailable).mockResolvedValue("here");
    expect(await withRetry(once, options)).toBe("here");
    expect(once).toHaveBeenCalledTimes(3);
  });

  test("throws the last error when all attempts are used", async () => {
    const errors = Array.from({ length: 4 }, (_, i) => new KindredError("unavailable", `attempt ${i + 1}`));
    let calls = 0;
    await expect(withRetry(() => Promise.reject(errors[calls++] as Error), options)).rejects.toBe(errors[3]);
    expect(calls).toBe(4);
  });

  test("never waits beyond the deadline: the error itself is thrown at once", async () => {
    const once = jest.fn(() =>
      Promise.reject(new KindredError("unavailable", "busy", { retryAfterMs: 60_000 })),
    );
    await expect(withRetry(once, { ...options, deadline: Date.now() + 10_000 })).rejects.toThrow("busy");
    expect(once).toHaveBeenCalledTimes(1);
  });

  test("a cancelled pause ends at once, and the next attempt says why", async () => {
    const stop = new AbortController();
    const cancelled = new KindredError("cancelled", "stopped");
    const once = jest.fn(() =>
      Promise.reject(
        stop.signal.aborted ? cancelled : new KindredError("unavailable", "away", { retryAfterMs: 60_000 }),
      ),
    );
    const outcome = withRetry(once, { ...options, signal: stop.signal });
    setImmediate(() => stop.abort());
    await expect(outcome).rejects.toBe(cancelled);
    expect(once).toHaveBeenCalledTimes(2);
  });
});
