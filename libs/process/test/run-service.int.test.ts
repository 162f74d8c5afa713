import { spawn, type ChildProcessByStdio } from "node:child_process";
import { once } from "node:events";
import type { Readable } from "node:stream";
import { text } from "node:stream/consumers";
import { expect, test } from "@jest/globals";
import { fixture } from "./processes.ts";

type Service = ChildProcessByStdio<null, Readable, Readable>;

/** As a container or a shell starts it: no IPC channel. */
function start(mode: string): Service {
  return spawn(process.execPath, ["--disable-warning=ExperimentalWarning", fixture("service.ts")], {
    stdio: ["ignore", "pipe", "pipe"],
    env: { ...process.env, MODE: mode },
  });
}

async function outcome(
  service: Service,
): Promise<{ code: number | null; signal: string | null; err: string }> {
  const [err, [code, signal]] = await Promise.all([
    text(service.stderr),
    once(service, "close") as Promise<[number | null, string | null]>,
    text(service.stdout),
  ]);
  return { code, signal, err };
}

test.each(["SIGTERM", "SIGINT", "SIGHUP"] as const)("%s drains, and the exit code is 0", async (signal) => {
  const service = start("");
  await once(service.stdout, "data");
  const over = outcome(service);
  service.kill(signal);
  expect(await over).toMatchObject({
    code: 0,
    signal: null,
    err: expect.stringContaining(`"reason":"${signal}"`),
  });
});

test("a second signal ends it without waiting for the drain", async () => {
  const service = start("slow-drain");
  await once(service.stdout, "data");
  const over = outcome(service);
  service.kill("SIGTERM");
  service.stderr.on("data", (chunk: Buffer) => {
    if (chunk.includes("stopping")) service.kill("SIGINT");
  });
  expect(await over).toMatchObject({ code: null, signal: "SIGINT" });
});

test("a bad configuration is listed for people, with exit code 78", async () => {
  const { code, err } = await outcome(start("config"));
  expect(code).toBe(78);
  expect(err).toBe(
    "fixture: The configuration is not usable:\n" +
      "  PORT is required (integer, 1 to 9): Port.\n" +
      "  NAME is required (text of at most 4096 characters): Name.\n",
  );
});

test("a service that cannot start says so in one line, with exit code 1", async () => {
  const { code, err } = await outcome(start("refuse"));
  expect(code).toBe(1);
  expect(JSON.parse(err)).toMatchObject({ level: "fatal", msg: "the database is not reachable" });
});

test("an unhandled rejection is logged with its stack, and the exit code is 1", async () => {
  const { code, err } = await outcome(start("throw-later"));
  expect(code).toBe(1);
  expect(err).toContain("nobody caught me");
  expect(err).toContain("unhandledRejection");
  expect(err).toContain('"msg":"stopped"');
});
