import { PassThrough } from "node:stream";
import { expect, test } from "@jest/globals";
import { Progress } from "@kindred/songs";
import { createTerminal } from "../terminal/terminal.ts";
import { showingProgress } from "./show-progress.ts";

interface Shown {
  out: string;
  err: string;
}

/** What is shown, a line each millisecond, of work that goes on until the text was shown. */
async function shownUntil(text: string, json: boolean): Promise<Shown> {
  const [stdout, stderr] = [new PassThrough(), new PassThrough()];
  const shown: Shown = { out: "", err: "" };
  const said = Promise.withResolvers<void>();
  stdout.on("data", (chunk: Buffer) => (shown.out += chunk.toString()));
  stderr.on("data", (chunk: Buffer) => {
    shown.err += chunk.toString();
    if (shown.err.includes(text)) said.resolve();
  });
  const terminal = createTerminal({ stdout, stderr, env: {} });
  const progress = new Progress({ command: "cache", phase: "reading", total: 10, totalIsEstimate: true });
  progress.add({ done: 5 });
  await showingProgress(
    { terminal, json },
    "cache",
    progress,
    async ({ note }) => {
      note("  going on");
      await said.promise;
      return { summary: "10 songs read" };
    },
    1,
  );
  await new Promise((resolve) => setImmediate(resolve));
  return shown;
}

test("where nobody watches, lines say how far it is, and the last one what was done", async () => {
  const { out, err } = await shownUntil("reading: 5 of ~10 songs, 50 %", false);
  expect(out).toBe("");
  const lines = err.trimEnd().split("\n");
  expect(lines[0]).toBe("  going on");
  expect(lines[1]).toMatch(/^ {2}cache {2}reading: 5 of ~10 songs, 50 %/);
  expect(lines.at(-1)).toBe("✔ cache  10 songs read");
});

test("for programs they are JSON, and standard output is left to the result", async () => {
  const { out, err } = await shownUntil('"progress"', true);
  expect(out).toBe("");
  const lines = err
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line) as object);
  expect(lines[0]).toEqual({ note: "going on" });
  expect(lines[1]).toMatchObject({
    progress: { command: "cache", done: 5, total: 10, totalIsEstimate: true },
  });
});
