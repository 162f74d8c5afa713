import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createClient } from "@connectrpc/connect";
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { GenerationService, GenerationStatus } from "@kindred/contracts/generation-tracking/v1";
import { startStack, type Stack } from "@kindred/testing";
import { openTransport } from "../src/clients.ts";
import { runInProcess } from "./run-in-process.ts";

let stack: Stack;
let home: string;
let url: string;
beforeAll(async () => {
  home = await mkdtemp(join(tmpdir(), "kindred-retention-"));
  stack = await startStack({ services: ["generation-tracking"] });
  url = stack.httpUrls["generation-tracking"] as string;
}, 180_000);
afterAll(async () => {
  await stack?.[Symbol.asyncDispose]();
  await rm(home, { recursive: true, force: true });
});

const kindred = (...args: string[]) => runInProcess([...args, "--url", url], { KINDRED_HOME: home });
const retention = (...args: string[]) => kindred("generations", "retention", ...args);

test("a policy from its making to its end", async () => {
  expect((await retention("list")).out).toContain("none yet");
  const made = await retention(
    ..."set old --older-than 90d --status failed --status completed".split(" "),
    ..."--keep-rating 4 --keep-label hero --keep-parents --every 1w".split(" "),
  );
  expect([made.code, made.out]).toEqual([
    0,
    " made old: failed completed older than 90d; kept: rated 4 or better, labelled hero, parents\n",
  ]);
  expect((await retention("set", "old", "--keep-newest", "2", "--every", "36h")).out).toBe(
    " replaced old: not among the newest 2\n",
  );
  expect((await retention("list")).out).toMatch(/^ old +not among the newest 2 +36h +(never|just now|\d)/m);
  expect((await retention("delete", "old")).out).toBe(" deleted the policy old\n");
  const gone = await retention("delete", "old");
  expect([gone.code, gone.err]).toEqual([1, expect.stringContaining('there is no retention policy "old"')]);
}, 120_000);

test("preview, apply, and the operation among those of all services", async () => {
  const client = createClient(GenerationService, openTransport({ url, timeoutMs: 30_000 }));
  for (let i = 0; i < 5; i++) {
    await client.recordGeneration({
      generation: {
        prompt: `picture ${i}`,
        status: i === 0 ? GenerationStatus.FAILED : GenerationStatus.COMPLETED,
      },
      createdAt: { seconds: 1_700_000_000n + BigInt(i) },
    });
  }
  const preview = await retention("preview", "--keep-newest", "2");
  expect(preview.out).toMatch(/would go +3 of 5 generations: 2 completed, 1 failed/);
  expect(preview.out).toContain("picture 2");
  expect(preview.out).not.toContain("picture 3");

  await retention("set", "newest", "--keep-newest", "2");
  const unasked = await retention("apply", "newest");
  expect([unasked.code, unasked.err]).toEqual([
    2,
    expect.stringContaining("Delete 3 of 5 generations for good?"),
  ]);
  const applied = await retention("apply", "newest", "--yes", "--request-id", "once");
  expect([applied.code, applied.out]).toEqual([0, " deleted  3\n"]);
  expect(applied.err).toMatch(/✔ delete +retention g1 of newest/);
  expect((await client.listGenerations({})).generations).toHaveLength(2);

  const listed = await kindred("operations", "list", "newest", "--service", "generation-tracking");
  expect(listed.out).toMatch(/^ g1 +retention +newest +done/m);
  const shown = await kindred("operations", "show", "g1");
  expect(shown.out).toMatch(/^ policy +newest$/m);
  expect(shown.out).toMatch(/^ +max count +2$/m);
  expect(JSON.parse((await kindred("operations", "watch", "g1", "--json")).out)).toMatchObject({
    id: 1,
    policy: "newest",
    result: { deleted: 3 },
  });
  const again = await kindred("operations", "cancel", "g1");
  expect([again.code, again.err]).toEqual([
    1,
    expect.stringContaining("operation g1 (retention) has succeeded"),
  ]);
  for (const command of ["show", "watch", "cancel"]) {
    const unknown = await kindred("operations", command, "g99");
    expect([unknown.code, unknown.err]).toEqual([1, expect.stringContaining("there is no operation g99")]);
  }
}, 120_000);

test.each([
  [["set", "old", "--keep-rating", "4"], "Such a policy lets nothing go."],
  [["set", "Old!", "--keep-newest", "4"], "must be 1 to 63 small letters"],
  [["set", "old", "--older-than", "90"], "It must be a time such as 30m"],
  [["set", "old", "--older-than", "5s"], "must be 1 minute to 36500 days"],
  [["set", "old", "--keep-newest", "4", "--status", "running"], "one of completed, failed, cancelled"],
  [["preview", "old", "--keep-newest", "4"], "do not go together"],
  [["preview"], "Such a policy lets nothing go."],
])("bad input is refused with a reason: %j", async (args, reason) => {
  const { code, out, err } = await retention(...args);
  expect(out).toBe("");
  expect(err).toContain(reason);
  expect([1, 2]).toContain(code);
});
