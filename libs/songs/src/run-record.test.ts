import { spawn } from "node:child_process";
import { once } from "node:events";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, expect, test } from "@jest/globals";
import { temporaryFolder } from "@kindred/testing";
import { songsLayout, type SongsLayout } from "./layout.ts";
import { Progress } from "./progress.ts";
import { readRun, startSongsRun, type SongsRun } from "./run-record.ts";

let folder: Awaited<ReturnType<typeof temporaryFolder>>;
let layout: SongsLayout;
beforeEach(async () => {
  folder = await temporaryFolder();
  layout = songsLayout(join(folder.path, "songs"));
});
afterEach(async () => {
  await folder[Symbol.asyncDispose]();
});

function start(progress = new Progress({ command: "embed", phase: "embedding" })): Promise<SongsRun> {
  return startSongsRun(layout, "embed", progress, {
    onRecordError: (error) => {
      throw error;
    },
  });
}

test("others see a run while it lives, and what it said last", async () => {
  expect(await readRun(layout, "embed")).toBeUndefined();
  const progress = new Progress({ command: "embed", phase: "embedding", total: 10 });
  {
    await using run = await start(progress);
    expect(await readRun(layout, "embed")).toMatchObject({
      state: "running",
      isAlive: true,
      pid: process.pid,
    });
    progress.add({ done: 7 });
    await run.end("interrupted", "stopped by Ctrl+C");
  }
  expect(await readRun(layout, "embed")).toMatchObject({
    state: "interrupted",
    isAlive: false,
    message: "stopped by Ctrl+C",
    progress: { done: 7, total: 10 },
  });
});

test("writes down how far it is, again and again", async () => {
  const progress = new Progress({ command: "embed", phase: "embedding" });
  await using run = await start(progress);
  progress.add({ done: 3 });
  for (;;) {
    const seen = await readRun(layout, "embed");
    if (seen?.progress.done === 3) break;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  expect(run.takenOver).toBe(false);
});

test("a second run of a command is refused, one of another command is not", async () => {
  await using first = await start();
  await expect(start()).rejects.toThrow(
    `kindred songs embed runs on ${layout.folder} already, as process ${process.pid}`,
  );
  await using other = await startSongsRun(
    layout,
    "upload",
    new Progress({ command: "upload", phase: "uploading" }),
    { onRecordError: () => undefined },
  );
  expect([first.takenOver, other.takenOver]).toEqual([false, false]);
});

test("a run that is disposed of without a last word has failed", async () => {
  await (await start())[Symbol.asyncDispose]();
  expect(await readRun(layout, "embed")).toMatchObject({ state: "failed", isAlive: false });
});

test("a run whose process was killed is seen as dead, and the next one takes over", async () => {
  const module = fileURLToPath(new URL("index.ts", import.meta.url));
  const script = `
    import { Progress, songsLayout, startSongsRun } from ${JSON.stringify(module)};
    const progress = new Progress({ command: "embed", phase: "embedding" });
    await startSongsRun(songsLayout(${JSON.stringify(layout.folder)}), "embed", progress, { onRecordError: () => {} });
    console.log("started");
    setInterval(() => {}, 1000);`;
  const child = spawn(process.execPath, ["--input-type=module-typescript", "--eval", script], {
    stdio: ["ignore", "pipe", "inherit"],
    cwd: fileURLToPath(new URL("..", import.meta.url)),
  });
  const closed = once(child, "close");
  await once(child.stdout, "data");
  expect(await readRun(layout, "embed")).toMatchObject({ state: "running", isAlive: true, pid: child.pid });
  child.kill("SIGKILL");
  await closed;
  expect(await readRun(layout, "embed")).toMatchObject({ state: "running", isAlive: false });
  await using next = await start();
  expect(next.takenOver).toBe(true);
});

test("a record that cannot be written is complained of once, and the run goes on", async () => {
  const errors: unknown[] = [];
  await using run = await startSongsRun(
    { ...layout, run: () => join(layout.folder, "not", "there", "run.json") },
    "embed",
    new Progress({ command: "embed", phase: "embedding" }),
    { onRecordError: (error) => errors.push(error) },
  );
  await run.end("done", "done");
  expect(errors).toEqual([expect.objectContaining({ code: "ENOENT" })]);
});

test("what is no record is refused by its name", async () => {
  await (await start())[Symbol.asyncDispose]();
  await writeFile(layout.run("embed"), "{}");
  await expect(readRun(layout, "embed")).rejects.toMatchObject({
    kind: "data-loss",
    message: `${layout.run("embed")} is no record of a run of version 1`,
  });
  await writeFile(layout.run("embed"), "{");
  await expect(readRun(layout, "embed")).rejects.toMatchObject({ kind: "data-loss" });
  expect(await readFile(layout.run("embed"), "utf8")).toBe("{");
});
