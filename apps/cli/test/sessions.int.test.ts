import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { startStack, type Stack } from "@kindred/testing";
import { runInProcess } from "./run-in-process.ts";

let stack: Stack;
let home: string;
beforeAll(async () => {
  home = await mkdtemp(join(tmpdir(), "kindred-sessions-"));
  stack = await startStack({ services: ["generation-tracking"], env: { SESSION_SWEEP_INTERVAL: "20ms" } });
}, 180_000);
afterAll(async () => {
  await stack?.[Symbol.asyncDispose]();
  await rm(home, { recursive: true, force: true });
});

const sessions = (...args: string[]) =>
  runInProcess(["sessions", ...args, "--url", stack.httpUrls["generation-tracking"] as string], {
    KINDRED_HOME: home,
  });
const plain = async (...args: string[]) => {
  const { code, out, err } = await sessions(...args, "--json");
  expect({ code, err }).toEqual({ code: 0, err: "" });
  return JSON.parse(out) as Record<string, unknown>;
};

test("a session from its start to its end", async () => {
  const started = await plain("start", "studio", "--user", "ada", "--data", '{"theme": "dark", "tab": 1}');
  expect(started).toMatchObject({
    session_id: "studio",
    user_id: "ada",
    session_data: { theme: "dark", tab: 1 },
    idle_timeout: "1800s",
    total_requests: 0,
    existing: false,
  });
  const touched = await plain("touch", "studio", "--requests", "3", "--data", '{"tab": null}');
  expect(touched).toMatchObject({ total_requests: 3, session_data: { theme: "dark" } });
  const again = await sessions("start", "studio", "--user", "ada");
  expect([again.code, again.err]).toEqual([0, expect.stringContaining("goes on since before")]);
  const unnamed = await plain("start", "studio");
  expect(unnamed).toMatchObject({ user_id: "ada", total_requests: 3, existing: true });
  const others = await sessions("start", "studio", "--user", "bob");
  expect([others.code, others.err]).toEqual([1, expect.stringContaining("another user's")]);

  const { out } = await sessions("show", "studio");
  expect(out).toMatch(/^ session +studio$/m);
  expect(out).toMatch(/^ state +goes on$/m);
  expect(out).toMatch(/^ requests +3$/m);
  expect(out).toMatch(/^ may be silent +30 min 0 s$/m);
  expect(out).toMatch(/^ data +\{"theme":"dark"\}$/m);

  const ended = await plain("end", "studio");
  expect(ended).toMatchObject({ session_id: "studio", expired: false, end_time: expect.any(String) });
  const late = await sessions("touch", "studio");
  expect([late.code, late.err]).toEqual([1, expect.stringContaining('session "studio" has ended')]);
});

test("lists are by user, by state and in pages", async () => {
  for (const id of ["a", "b", "c"]) await plain("start", id, "--user", "bob");
  await plain("end", "b");
  const ids = async (...args: string[]) =>
    ((await plain("list", ...args))["sessions"] as { session_id: string }[]).map((one) => one.session_id);
  expect(await ids("--user", "bob")).toEqual(["c", "b", "a"]);
  expect(await ids("--user", "bob", "--active")).toEqual(["c", "a"]);
  expect(await ids("--user", "bob", "--ended")).toEqual(["b"]);
  expect(await ids("--user", "bob", "-n", "2")).toEqual(["c", "b"]);
  expect(await ids("--user", "bob", "--until", "2020-01-01")).toEqual([]);
  const { out } = await sessions("list", "--user", "bob");
  expect(out).toMatch(/^ b +bob +[-\d]+ [:\d]+ +ended /m);
  expect((await sessions("list", "--user", "nobody")).out).toContain("no session that matches");
  expect((await sessions("list", "--active", "--ended")).code).toBe(2);
  const refused = await sessions("list", "--watch", "--every", "1ms");
  expect([refused.code, refused.err]).toEqual([2, expect.stringContaining("--every")]);
});

test("one that nobody touches is ended by the service", async () => {
  await plain("start", "brief", "--idle-timeout", "1s");
  let shown: Record<string, unknown>;
  do shown = await plain("show", "brief");
  while (shown["end_time"] === undefined);
  expect(shown).toMatchObject({ expired: true });
  const { out } = await sessions("show", "brief");
  expect(out).toMatch(/^ state +expired$/m);
  const late = await sessions("touch", "brief");
  expect([late.code, late.err]).toEqual([1, expect.stringContaining("nobody had touched it")]);
}, 60_000);

test("wrong values say what is wrong; what is not there says so", async () => {
  const bad = await sessions("start", "--idle-timeout", "1ms");
  expect([bad.code, bad.err]).toEqual([2, expect.stringContaining("1s to 720h")]);
  expect((await sessions("touch", "a", "--data", "[1]")).code).toBe(2);
  const long = await sessions("start", "x".repeat(101));
  expect([long.code, long.err]).toEqual([2, expect.stringContaining("session_id must be at most 100")]);
  const none = await sessions("show", "nobody's");
  expect([none.code, none.err]).toEqual([1, expect.stringContaining("there is no session")]);
});
