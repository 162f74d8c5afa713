// What `npm start`, `npm run demo` and `npm test` run first: under the host's own Node (20 or newer), with nothing installed.
// It installs what package-lock.json names, if that was not done yet, and goes on under the Node 24 that was installed.
// usage: node tools/bootstrap.mjs up|demo|test [arguments]

// An old Node has to get as far as the line that says that it is too old: hence no "node:" here, and plain syntax.
import { spawn } from "child_process";
import { createHash } from "crypto";
import { existsSync, readFileSync, rmSync, writeFileSync } from "fs";
import { constants } from "os";
import { join } from "path";
import { fileURLToPath } from "url";

const OLDEST_NODE = 20;
const EX_UNAVAILABLE = 69;
const EX_CANTCREAT = 73;

const root = fileURLToPath(new URL("..", import.meta.url));
const modules = join(root, "node_modules");
const node = join(modules, "node", "bin", process.platform === "win32" ? "node.exe" : "node");
const stamp = join(modules, ".kindred-installed");

const entries = {
  up: ["apps/cli/src/main.ts", "up"],
  demo: ["apps/cli/src/main.ts", "demo"],
  test: ["tools/test.ts"],
};

/** An outcome that was foreseen: one line for people, and the exit code. */
class Refusal extends Error {
  constructor(message, exitCode) {
    super(message);
    this.exitCode = exitCode;
  }
}

/** Changes whenever another set of packages, or the same set for another machine, has to be installed. */
function wanted() {
  const lock = readFileSync(join(root, "package-lock.json"));
  return `${createHash("sha256").update(lock).digest("hex")} ${process.platform} ${process.arch}\n`;
}

function isInstalled() {
  return existsSync(stamp) && existsSync(node) && readFileSync(stamp, "utf8") === wanted();
}

/** npm as this script was called by it, or the one on PATH. */
function npmCommand() {
  const script = process.env["npm_execpath"];
  if (script && script.endsWith(".js")) return { command: process.execPath, args: [script], shell: false };
  return { command: "npm", args: [], shell: process.platform === "win32" };
}

/** Runs a command to its end: how it ended, and what it wrote when its output was not passed through. */
function run(command, args, options) {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, options);
    let output = "";
    if (child.stdout) child.stdout.on("data", (chunk) => (output += chunk));
    if (child.stderr) child.stderr.on("data", (chunk) => (output += chunk));
    // Whatever is sent to us is the child's affair. In a terminal Ctrl+C reaches it directly as well; the child takes signals
    // that arrive together for one.
    const handlers = ["SIGINT", "SIGTERM", "SIGHUP"].map((signal) => ({
      signal,
      handle: () => child.kill(signal),
    }));
    for (const { signal, handle } of handlers) process.on(signal, handle);
    const orphaned = onceOrphaned(() => child.kill("SIGTERM"));
    child.once("error", reject);
    child.once("close", (code, signal) => {
      for (const { signal: name, handle } of handlers) process.off(name, handle);
      clearInterval(orphaned);
      resolve({ code: signal ? 128 + constants.signals[signal] : code, output });
    });
  });
}

/**
 * A shell between npm and us dies of a signal that it does not pass on, and npm itself may be killed: what was started by
 * `npm start` then has to stop, although nobody told us.
 */
function onceOrphaned(stop) {
  if (process.env["npm_lifecycle_event"] === undefined) return undefined;
  const parent = process.ppid;
  const timer = setInterval(() => {
    if (process.ppid === parent) return;
    clearInterval(timer);
    stop();
  }, 250);
  return timer;
}

/** Why npm failed, in one line where the reason is known. */
function installError(output, code) {
  if (/ENOSPC|no space left on device/i.test(output)) {
    return new Refusal(`The disk is full: the packages need about 1.1 GB in ${modules}.`, EX_CANTCREAT);
  }
  const network =
    /ENOTFOUND|EAI_AGAIN|ECONNREFUSED|ECONNRESET|ETIMEDOUT|ENETUNREACH|EHOSTUNREACH|ERR_SOCKET_TIMEOUT|network/i.exec(
      output,
    );
  if (network) {
    return new Refusal(
      `npm could not reach its package registry (${network[0]}): check the network, or "npm config get registry".`,
      EX_UNAVAILABLE,
    );
  }
  const said = output
    .split("\n")
    .filter((line) => line.trim() !== "" && !/A complete log of this run|npm warn/.test(line))
    .slice(-12);
  return new Refusal(`npm install failed (exit code ${code}):\n${said.join("\n")}`, 1);
}

async function install() {
  const fresh = !existsSync(modules);
  console.error(
    "Installing the packages that package-lock.json names; the first time this takes a minute or two ...",
  );
  const started = Date.now();
  const npm = npmCommand();
  let result;
  try {
    result = await run(
      npm.command,
      // --no-save: the lock file stays as it is.
      npm.args.concat(
        "install",
        "--no-save",
        "--no-audit",
        "--no-fund",
        "--no-progress",
        // Not "silent", as npm run --silent hands down: a failure has to be told.
        "--loglevel=error",
        "--fetch-retry-mintimeout=1000",
      ),
      { cwd: root, stdio: ["ignore", "pipe", "pipe"], shell: npm.shell },
    );
  } catch (error) {
    throw new Refusal(`npm could not be started (${error.message}): is it installed?`, 1);
  }
  if (result.code !== 0 || !existsSync(node)) {
    // What was unpacked so far would look like an installation.
    if (fresh) rmSync(modules, { recursive: true, force: true });
    if (result.code > 128) throw new Refusal("Stopped while installing; nothing was started.", result.code);
    throw installError(result.output, result.code);
  }
  writeFileSync(stamp, wanted());
  console.error(`Packages installed in ${Math.round((Date.now() - started) / 1000)} s.`);
}

async function main() {
  if (Number(process.versions.node.split(".")[0]) < OLDEST_NODE) {
    throw new Refusal(
      `Kindred needs Node ${OLDEST_NODE} or newer to begin with; this is ${process.version}. See https://nodejs.org.`,
      1,
    );
  }
  const entry = entries[process.argv[2]];
  if (!entry) throw new Refusal("usage: node tools/bootstrap.mjs up|demo|test [arguments]", 2);
  if (!isInstalled()) await install();
  const { code } = await run(
    node,
    ["--disable-warning=ExperimentalWarning"].concat(entry, process.argv.slice(3)),
    // The channel ends when this process dies, however it does; `up` stops then.
    { cwd: root, stdio: ["inherit", "inherit", "inherit", "ipc"] },
  );
  process.exitCode = code;
}

main().catch((error) => {
  console.error(error instanceof Refusal ? error.message : error);
  process.exitCode = error.exitCode || 1;
});
