import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { afterEach, describe, expect, test } from "@jest/globals";
import {
  superviseProcess,
  type ProcessState,
  type SupervisedProcess,
  type SuperviseOptions,
} from "../src/index.ts";
import { fixture, isAlive, until } from "./processes.ts";

const running: SupervisedProcess[] = [];
afterEach(async () => {
  await Promise.all(running.splice(0).map((process) => process.stop()));
});

interface Watched {
  process: SupervisedProcess;
  lines: string[];
  states: ProcessState[];
}

function supervise(mode: string, options: Partial<SuperviseOptions> = {}): Watched {
  const lines: string[] = [];
  const states: ProcessState[] = [];
  const process = superviseProcess({
    name: "fixture",
    entry: fixture("service.ts"),
    env: { MODE: mode },
    restart: "always",
    onLog: (line) => lines.push(line),
    onState: (state) => states.push(state),
    backoff: { firstMs: 10, maxMs: 40 },
    ...options,
  });
  running.push(process);
  return { process, lines, states };
}

const kinds = (states: ProcessState[]): string[] => states.map((state) => state.kind);

test("a service gets ready, and stop() drains it", async () => {
  const { process, lines, states } = supervise("");
  const ready = await process.ready;
  expect(ready).toMatchObject({ type: "ready", name: "fixture", port: 4711, self: process.pid });
  await process.stop();
  expect(isAlive(ready["self"] as number)).toBe(false);
  expect(process.pid).toBeUndefined();
  expect(kinds(states)).toEqual(["starting", "ready", "stopping", "stopped"]);
  expect(lines).toContain(`out of ${ready["self"]}`);
  expect(lines).toContain("drained");
  expect(lines).toContain("main is over");
  await process.stop();
  expect(process.state).toEqual({ kind: "stopped" });
});

test("a service killed with SIGKILL is started again, and may be given its old ports", async () => {
  const { process, states } = supervise("", {
    env: (last) => ({ GIVEN_PORT: String(Number(last?.["port"] ?? 100) + 1) }),
  });
  const first = await process.ready;
  expect(first["port"]).toBe(101);
  const restarted = process.nextReady();
  globalThis.process.kill(first["self"] as number, "SIGKILL");
  const second = await restarted;
  expect(second["self"]).not.toBe(first["self"]);
  expect(process.lastReady).toMatchObject({ port: 102, self: process.pid });
  expect(states.find((state) => state.kind === "waiting")).toMatchObject({ reason: "killed by SIGKILL" });
  expect(process.state).toMatchObject({ kind: "ready", restarts: 1 });
});

test("an exception that nobody caught: logged, drained, exit code 1, started again", async () => {
  const { process, lines, states } = supervise("throw-later");
  await process.ready;
  await until(() => states.some((state) => state.kind === "waiting"));
  expect(lines.join("\n")).toContain("nobody caught me");
  expect(lines).toContain("drained");
  expect(states.find((state) => state.kind === "waiting")).toMatchObject({
    reason: expect.stringMatching(/^exit code 1/),
  });
});

test("restart never: the end is reported, with its reason", async () => {
  const { process } = supervise("refuse", { restart: "never" });
  await expect(process.ready).rejects.toThrow("fixture ended: exit code 1: the database is not reachable");
  expect(process.state.kind).toBe("failed");
  await process.stop();
});

test("a failed first start is tried again", async () => {
  const folder = mkdtempSync(join(tmpdir(), "kindred-process-"));
  try {
    const { process } = supervise("", { env: { MODE: "refuse-once", MARK: join(folder, "mark") } });
    await process.ready;
    expect(process.state).toMatchObject({ kind: "ready", restarts: 1 });
  } finally {
    rmSync(folder, { recursive: true });
  }
});

describe("giving up", () => {
  test("after several starts that did not get ready, in one line", async () => {
    const { process, states } = supervise("refuse", {
      backoff: { firstMs: 5, maxMs: 10, maxFailedStarts: 3 },
    });
    await expect(process.ready).rejects.toThrow(
      "fixture could not be started in 3 attempts; the last: exit code 1: the database is not reachable",
    );
    expect(kinds(states)).toEqual(["starting", "waiting", "starting", "waiting", "starting", "failed"]);
    expect(states.filter((s) => s.kind === "waiting").map((s) => s.delayMs)).toEqual([5, 10]);
  });

  test("at once when the configuration is at fault, naming every problem", async () => {
    const { process, states, lines } = supervise("config");
    await expect(process.ready).rejects.toThrow(
      /fixture cannot start: exit code 78: [^]*PORT is required[^]*NAME is required/,
    );
    expect(kinds(states)).toEqual(["starting", "failed"]);
    expect(lines.join("\n")).toContain("NAME is required");
  });

  test("when the entry does not exist", async () => {
    const { process } = supervise("", {
      entry: "/nowhere/main.ts",
      backoff: { firstMs: 1, maxFailedStarts: 2 },
    });
    await expect(process.ready).rejects.toThrow(
      /^fixture could not be started in 2 attempts; the last: exit code 1: Error: Cannot find module '.nowhere.main.ts'/,
    );
  });
});

test("a process that never gets ready is killed and counts as failed", async () => {
  const { process, states } = supervise("never-ready", {
    readyTimeoutMs: 700,
    backoff: { firstMs: 5, maxFailedStarts: 2 },
  });
  await expect(process.ready).rejects.toThrow("the last: not ready after 0.7 s");
  const pids = states.filter((state) => state.kind === "starting").map((state) => state.pid);
  expect(pids.length).toBe(2);
  expect(pids.filter(isAlive)).toEqual([]);
});

test("stop() while the process is starting", async () => {
  const { process, states } = supervise("never-ready", { stopTimeoutMs: 300 });
  await until(() => states.length > 0);
  const { pid } = process;
  await process.stop();
  expect(isAlive(pid as number)).toBe(false);
  await expect(process.ready).rejects.toThrow("fixture was stopped before it was ready");
});

test.each(["ignore-sigterm", "slow-drain"])("%s: SIGKILL at the deadline", async (mode) => {
  const { process, states } = supervise(mode, { stopTimeoutMs: 300 });
  const { self } = await process.ready;
  await process.stop();
  expect(isAlive(self as number)).toBe(false);
  expect(kinds(states)).toEqual(["starting", "ready", "stopping", "stopped"]);
});

test("children go away when their parent is killed with SIGKILL", async () => {
  const parent = spawn(
    process.execPath,
    ["--disable-warning=ExperimentalWarning", fixture("supervisor.ts")],
    {
      stdio: ["ignore", "pipe", "inherit"],
    },
  );
  const [line] = (await once(createInterface({ input: parent.stdout }), "line")) as [string];
  const pids = JSON.parse(line) as number[];
  expect(pids.length).toBe(4);
  expect(pids.filter((pid) => !isAlive(pid))).toEqual([]);
  parent.kill("SIGKILL");
  await until(() => !pids.some(isAlive));
});
