import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { open, readFile } from "node:fs/promises";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { KindredError } from "@kindred/errors";
import type { PgliteReady, PgliteServerConfig } from "../pglite-server.ts";
import { ensureDataDirectory, ensureTemplate } from "../pglite/template.ts";
import { readOrCreatePassword } from "./cluster.ts";
import { freePort } from "./free-port.ts";
import type { ReportProgress } from "./progress.ts";
import type { RunningServer } from "./running-server.ts";

const ENTRY = fileURLToPath(new URL("../pglite-server.ts", import.meta.url));
const STOP_TIMEOUT_MS = 10_000;

export interface PgliteOptions {
  dataDir: string;
  cacheDir: string;
  port: number;
  report: ReportProgress;
}

/** Where a data folder keeps PGlite's data. */
export function pgliteData(dataDir: string): string {
  return join(dataDir, "pglite");
}

/** Starts PGlite in a process of its own, which ends with this one. */
export async function startPglite(options: PgliteOptions): Promise<RunningServer> {
  const dataDir = pgliteData(options.dataDir);
  const password = await readOrCreatePassword(join(options.dataDir, "password"));
  const template = await ensureTemplate(options.cacheDir, await pgliteVersion(), async (folder) => {
    options.report({ phase: "initialise" });
    await makeTemplate(folder);
  });
  await ensureDataDirectory(dataDir, template);
  options.report({ phase: "start" });
  // Any free one it finds by itself.
  const port = options.port === 0 ? 0 : await freePort(options.port);
  const log = join(options.dataDir, "server.log");
  const { child, ready } = await serve({ task: "serve", dataDir, port, password }, log);
  return {
    url: `postgresql://postgres:${password}@127.0.0.1:${ready.port}/postgres`,
    port: ready.port,
    versions: { server: ready.server, vector: ready.vector },
    waitForEnd: () => ended(child),
    [Symbol.asyncDispose]: () => stop(child),
  };
}

/** As this package pins it: data directories of different versions are not the same. */
async function pgliteVersion(): Promise<string> {
  const manifest = JSON.parse(await readFile(new URL("../../package.json", import.meta.url), "utf8")) as {
    dependencies: Record<string, string>;
  };
  return manifest.dependencies["@electric-sql/pglite"] as string;
}

/** `stdin` is the process's tie to us: it ends when we do, however that comes about. */
function launch(
  config: PgliteServerConfig,
  stdout: "ignore" | "pipe",
  stderr: number | "ignore",
): ChildProcess {
  const child = spawn(process.execPath, ["--disable-warning=ExperimentalWarning", ENTRY], {
    stdio: ["pipe", stdout, stderr],
    detached: true,
  });
  child.stdin?.on("error", () => {});
  child.stdin?.write(`${JSON.stringify(config)}\n`);
  return child;
}

async function makeTemplate(dataDir: string): Promise<void> {
  const child = launch({ task: "template", dataDir }, "ignore", "ignore");
  const [code] = (await once(child, "exit")) as [number | null];
  if (code !== 0)
    throw new KindredError("internal", `PGlite could not make a data directory (exit code ${code})`);
}

async function serve(
  config: PgliteServerConfig,
  log: string,
): Promise<{ child: ChildProcess; ready: PgliteReady }> {
  const file = await open(log, "a", 0o600);
  const logStart = (await file.stat()).size;
  const child = launch(config, "pipe", file.fd);
  await file.close();
  const lines = createInterface({ input: child.stdout as NodeJS.ReadableStream });
  const ready = await Promise.race([
    once(lines, "line").then(([line]) => JSON.parse(line as string) as PgliteReady),
    once(child, "exit").then(() => undefined),
  ]);
  if (ready) return { child, ready };
  const complaint = (await readFile(log, "utf8")).slice(logStart).trim().split("\n");
  const last = complaint.findLast((line) => /Error/.test(line)) ?? complaint.at(-1) ?? "";
  throw new KindredError("internal", `PGlite did not start: ${last} (log: ${log})`);
}

async function ended(child: ChildProcess): Promise<void> {
  if (child.exitCode === null && child.signalCode === null) await once(child, "exit");
}

async function stop(child: ChildProcess): Promise<void> {
  child.stdin?.end();
  const patience = setTimeout(() => child.kill("SIGKILL"), STOP_TIMEOUT_MS);
  await ended(child);
  clearTimeout(patience);
}
