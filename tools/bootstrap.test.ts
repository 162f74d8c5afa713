import { spawn, type ChildProcessByStdio } from "node:child_process";
import { once } from "node:events";
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Readable } from "node:stream";
import { text } from "node:stream/consumers";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, describe, expect, test } from "@jest/globals";

// A clone in miniature: the real bootstrap and the real npm, a lock file whose only package is a link to this Node, and an entry that
// tells how it was started.

const ENTRY = `
if (process.argv[2] === "up") {
  const alive = setInterval(() => {}, 1000);
  const stop = (why) => { clearInterval(alive); process.stdout.write(why + "\\n"); process.removeAllListeners("disconnect"); process.exitCode = 0; };
  process.once("SIGTERM", () => stop("terminated"));
  process.once("disconnect", () => stop("orphaned"));
} else process.exitCode = 7;
process.stdout.write(JSON.stringify({ args: process.argv.slice(2), channel: process.connected }) + "\\n");
`;

let clone: string;
beforeEach(() => {
  clone = mkdtempSync(join(tmpdir(), "kindred-bootstrap-"));
  for (const folder of ["tools", "apps/cli/src", "node-link/bin"])
    mkdirSync(join(clone, folder), { recursive: true });
  cpSync(fileURLToPath(new URL("bootstrap.mjs", import.meta.url)), join(clone, "tools/bootstrap.mjs"));
  writeFileSync(join(clone, "apps/cli/src/main.ts"), ENTRY);
  symlinkSync(process.execPath, join(clone, "node-link/bin/node"));
  writeJson("node-link/package.json", { name: "node", version: "24.0.0" });
  writeJson("package.json", {
    name: "clone",
    version: "1.0.0",
    type: "module",
    dependencies: { node: "file:node-link" },
  });
  writeLock({});
});
afterEach(() => rmSync(clone, { recursive: true, force: true }));

function writeJson(path: string, value: unknown): void {
  writeFileSync(join(clone, path), `${JSON.stringify(value, undefined, 2)}\n`);
}

function writeLock(more: Record<string, unknown>, dependencies: Record<string, string> = {}): void {
  writeJson("package-lock.json", {
    name: "clone",
    version: "1.0.0",
    lockfileVersion: 3,
    requires: true,
    packages: {
      "": { name: "clone", version: "1.0.0", dependencies: { node: "file:node-link", ...dependencies } },
      "node-link": { name: "node", version: "24.0.0" },
      "node_modules/node": { resolved: "node-link", link: true },
      ...more,
    },
  });
}

type Bootstrap = ChildProcessByStdio<null, Readable, Readable>;

function bootstrap(args: string[], env: Record<string, string> = {}): Bootstrap {
  return spawn(process.execPath, [join(clone, "tools/bootstrap.mjs"), ...args], {
    stdio: ["ignore", "pipe", "pipe"],
    env: {
      ...process.env,
      npm_config_cache: join(clone, "cache"),
      npm_config_update_notifier: "false",
      ...env,
    },
  });
}

async function outcome(child: Bootstrap): Promise<{ code: number | null; out: string; err: string }> {
  const [out, err, [code]] = await Promise.all([
    text(child.stdout),
    text(child.stderr),
    once(child, "close") as Promise<[number | null]>,
  ]);
  return { code, out, err };
}

test("installs once, passes arguments and the exit code on, and leaves the lock file as it is", async () => {
  const lock = readFileSync(join(clone, "package-lock.json"), "utf8");
  const first = await outcome(bootstrap(["demo", "--port", "9000"]));
  expect(first).toMatchObject({ code: 7, out: '{"args":["demo","--port","9000"],"channel":true}\n' });
  expect(first.err).toMatch(/^Installing the packages[^\n]*\nPackages installed in \d+ s\.\n$/);
  expect(readFileSync(join(clone, "package-lock.json"), "utf8")).toBe(lock);

  expect(await outcome(bootstrap(["demo"]))).toMatchObject({ code: 7, err: "" });

  writeFileSync(join(clone, "package-lock.json"), `${lock}\n`);
  expect((await outcome(bootstrap(["demo"]))).err).toContain("Installing");
});

test("a command that it does not know is a usage error, and nothing is installed", async () => {
  expect(await outcome(bootstrap(["dance"]))).toMatchObject({ code: 2, out: "" });
  expect(existsSync(join(clone, "node_modules"))).toBe(false);
});

describe("when npm fails", () => {
  const missing = {
    "node_modules/nowhere-to-be-found": { version: "1.0.0", integrity: `sha512-${"A".repeat(86)}==` },
  };

  test("an unreachable registry is one clear line, and nothing half-installed is left", async () => {
    writeJson("package.json", {
      name: "clone",
      version: "1.0.0",
      type: "module",
      dependencies: { node: "file:node-link", "nowhere-to-be-found": "1.0.0" },
    });
    writeLock(missing, { "nowhere-to-be-found": "1.0.0" });
    const closed = { npm_config_registry: "http://127.0.0.1:9/", npm_config_fetch_retries: "0" };
    const { code, out, err } = await outcome(bootstrap(["up"], closed));
    expect(code).toBe(69);
    expect(out).toBe("");
    expect(err.split("\n").slice(1)).toEqual([
      'npm could not reach its package registry (ECONNREFUSED): check the network, or "npm config get registry".',
      "",
    ]);
    expect(existsSync(join(clone, "node_modules"))).toBe(false);
  });

  test("any other failure shows what npm said", async () => {
    writeFileSync(join(clone, "package.json"), "{ not json");
    const { code, err } = await outcome(bootstrap(["up"]));
    expect(code).toBe(1);
    expect(err).toMatch(/npm install failed \(exit code 1\):\n[^]*EJSONPARSE/);
  });
});

async function running(): Promise<Bootstrap> {
  const child = bootstrap(["up"]);
  await once(child.stdout, "data");
  return child;
}

describe("while it runs", () => {
  test("a signal is passed on, and a graceful stop is exit code 0", async () => {
    const child = await running();
    const over = outcome(child);
    child.kill("SIGTERM");
    expect(await over).toMatchObject({ code: 0, out: "terminated\n" });
  });

  test("a signal that npm's shell does not pass on stops it all the same", async () => {
    // The second command keeps the shell from becoming the first.
    const shell = spawn(
      "sh",
      ["-c", '"$0" "$@"; exit $?', process.execPath, join(clone, "tools/bootstrap.mjs"), "up"],
      {
        stdio: ["ignore", "pipe", "pipe"],
        env: { ...process.env, npm_config_cache: join(clone, "cache"), npm_lifecycle_event: "start" },
      },
    );
    await once(shell.stdout, "data");
    const over = text(shell.stdout);
    shell.kill("SIGKILL");
    expect(await over).toBe("terminated\n");
  });

  test("killed with SIGKILL, what it had started hears of it", async () => {
    const child = await running();
    const over = text(child.stdout);
    child.kill("SIGKILL");
    expect(await over).toBe("orphaned\n");
  });
});
