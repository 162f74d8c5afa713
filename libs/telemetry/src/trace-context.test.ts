import { expect, test } from "@jest/globals";
import { activeTraceparent, traceIdOf, withRemoteTrace } from "./index.ts";

const traceparent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

test("the caller's trace id is passed on, through awaits too", async () => {
  await withRemoteTrace(traceparent, async () => {
    await new Promise((resolve) => setImmediate(resolve));
    expect(traceIdOf(activeTraceparent() as string)).toBe("0af7651916cd43dd8448eb211c80319c");
  });
  expect(activeTraceparent()).toBeUndefined();
});

test("without a traceparent, or with a bad one, a trace of its own begins", () => {
  const ids = [undefined, "nonsense", "00-00000000000000000000000000000000-0000000000000000-01"].map(
    (header) => withRemoteTrace(header, () => traceIdOf(activeTraceparent() as string)),
  );
  for (const id of ids) expect(id).toMatch(/^(?!0{32})[0-9a-f]{32}$/);
  expect(new Set(ids).size).toBe(ids.length);
});

test("two calls at once keep their own traces", async () => {
  const other = traceparent.replace("0af7", "ffff");
  const seen = await Promise.all(
    [traceparent, other].map((header) =>
      withRemoteTrace(header, async () => {
        await new Promise((resolve) => setTimeout(resolve, 1));
        return traceIdOf(activeTraceparent() as string);
      }),
    ),
  );
  expect(seen).toEqual([traceIdOf(traceparent), traceIdOf(other)]);
});
