import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { open, readFile, readlink, rm } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { KindredError } from "@kindred/errors";
import type { Logger } from "@kindred/telemetry";
import { freePort, HOST, isPortTaken, portTaken } from "./free-port.ts";
import type { OsUser } from "./os-user.ts";
import { identityOf } from "./process-identity.ts";
import { saysDiskFull } from "./run-command.ts";

const START_TIMEOUT_MS = 60_000;
const STOP_TIMEOUT_MS = 30_000;
const POLL_MS = 15;
const PORT_ATTEMPTS = 3;

export interface PostmasterOptions {
  /** The `postgres` program. */
  program: string;
  cluster: string;
  /** 0 is any free one. */
  port: number;
  log: string;
  user: OsUser | undefined;
  env: Record<string, string>;
  logger: Logger;
}

/** A PostgreSQL server that is a child of this process and ends with it. */
export class Postmaster implements AsyncDisposable {
  readonly port: number;
  readonly #child: ChildProcess;
  readonly #watchdog: ChildProcess;

  private constructor(child: ChildProcess, watchdog: ChildProcess, port: number) {
    this.#child = child;
    this.#watchdog = watchdog;
    this.port = port;
  }

  /**
   * Starts the server and waits until it accepts connections.
   * @throws KindredError failed-precondition when the port is taken, resource-exhausted when the disk is full,
   *   internal with the log's last line otherwise.
   */
  static async start(options: PostmasterOptions): Promise<Postmaster> {
    await stopLeftover(options.cluster, options.logger);
    for (let attempt = 1; ; attempt++) {
      try {
        return await Postmaster.#startOn(await freePort(options.port), options);
      } catch (error) {
        // Somebody else was quicker to take the free port that was found.
        if (options.port !== 0 || !isPortTaken(error) || attempt === PORT_ATTEMPTS) throw error;
      }
    }
  }

  static async #startOn(port: number, options: PostmasterOptions): Promise<Postmaster> {
    const log = await open(options.log, "a", 0o600);
    const logStart = (await log.stat()).size;
    let child: ChildProcess;
    try {
      child = spawn(
        options.program,
        // No socket file: its path would have to be short, and nobody needs it.
        ["-D", options.cluster, "-p", String(port), "-h", HOST, "-k", ""],
        {
          stdio: ["ignore", log.fd, log.fd],
          cwd: options.cluster,
          env: options.env,
          // A group of its own: Ctrl+C in a terminal is for us, and the services need the database while they drain.
          detached: true,
          ...(options.user && { uid: options.user.uid, gid: options.user.gid }),
        },
      );
      await once(child, "spawn");
    } finally {
      await log.close();
    }
    const watchdog = watchOver(child.pid as number);
    const postmaster = new Postmaster(child, watchdog, port);
    child.once("exit", () => watchdog.kill("SIGKILL"));
    try {
      await postmaster.#accepting(options.cluster);
      return postmaster;
    } catch (error) {
      await postmaster[Symbol.asyncDispose]();
      throw await startError(error, options, port, logStart);
    }
  }

  /** Settles when the server has ended, whoever ended it. */
  async waitForEnd(): Promise<void> {
    if (!this.#hasEnded) await once(this.#child, "exit");
  }

  get #hasEnded(): boolean {
    return this.#child.exitCode !== null || this.#child.signalCode !== null;
  }

  async #accepting(cluster: string): Promise<void> {
    const deadline = performance.now() + START_TIMEOUT_MS;
    for (;;) {
      if (this.#hasEnded) throw new Error("the server ended while it started");
      if ((await readPidFile(cluster))?.status === "ready") return;
      if (performance.now() > deadline)
        throw new Error(`the server did not start within ${START_TIMEOUT_MS} ms`);
      await sleep(POLL_MS);
    }
  }

  /** Fast shutdown: open transactions are rolled back, the data are written. Harsher where that takes too long. */
  async [Symbol.asyncDispose](): Promise<void> {
    for (const signal of ["SIGINT", "SIGQUIT", "SIGKILL"] as const) {
      if (this.#hasEnded) break;
      this.#child.kill(signal);
      const waiting = new AbortController();
      await Promise.race([
        this.waitForEnd(),
        sleep(STOP_TIMEOUT_MS, undefined, { signal: waiting.signal }).catch(() => {}),
      ]);
      waiting.abort();
    }
    this.#watchdog.kill("SIGKILL");
  }
}

/**
 * A small shell that stops the server when this process is gone, however it went: its standard input ends then.
 * It runs beside us and not below the terminal's group, so that Ctrl+C does not end it early.
 */
function watchOver(pid: number): ChildProcess {
  const watchdog = spawn("/bin/sh", ["-c", 'read -r _; kill -INT "$1"', "sh", String(pid)], {
    stdio: ["pipe", "ignore", "ignore"],
    detached: true,
  });
  // Neither it nor its pipe keeps us alive.
  watchdog.unref();
  watchdog.stdin?.on("error", () => {});
  (watchdog.stdin as unknown as { unref?: () => void } | null)?.unref?.();
  return watchdog;
}

/** What postmaster.pid says: pid in line 1, port in line 4, state in line 8. */
async function readPidFile(cluster: string): Promise<{ pid: number; status: string } | undefined> {
  try {
    const lines = (await readFile(join(cluster, "postmaster.pid"), "utf8")).split("\n");
    return { pid: Number(lines[0]), status: lines[7]?.trim() ?? "" };
  } catch {
    return undefined;
  }
}

/** Ends a server of this cluster whose parent was killed, and clears away the pid file of one that is dead. */
async function stopLeftover(cluster: string, logger: Logger): Promise<void> {
  const found = await readPidFile(cluster);
  if (!found) return;
  if (await servesCluster(found.pid, cluster)) {
    logger.info({ pid: found.pid }, "stopping a database server that was left running");
    for (const signal of ["SIGINT", "SIGQUIT"] as const) {
      process.kill(found.pid, signal);
      const deadline = performance.now() + STOP_TIMEOUT_MS;
      while (identityOf(found.pid) && performance.now() < deadline) await sleep(POLL_MS);
      if (!identityOf(found.pid)) break;
    }
    if (identityOf(found.pid)) {
      throw new KindredError(
        "failed-precondition",
        `the database server ${found.pid} of ${cluster} does not stop`,
      );
    }
  }
  // Its number may belong to another process by now (in a container it does after each restart), which PostgreSQL
  // would take for a running server.
  await rm(join(cluster, "postmaster.pid"), { force: true });
}

async function servesCluster(pid: number, cluster: string): Promise<boolean> {
  if (!identityOf(pid)) return false;
  // A server's working directory is its cluster; where that cannot be seen, a living process counts as the server.
  const cwd = await readlink(`/proc/${pid}/cwd`).catch(() => undefined);
  return cwd === undefined || cwd === cluster;
}

async function startError(
  error: unknown,
  options: PostmasterOptions,
  port: number,
  logStart: number,
): Promise<KindredError> {
  const written = (await readFile(options.log, "utf8")).slice(logStart);
  const lines = written.split("\n");
  const complaint =
    lines.findLast((line) => /FATAL|PANIC|ERROR/.test(line)) ?? lines.findLast((line) => line !== "");
  const text = complaint?.replace(/^.*?(FATAL|PANIC|ERROR): +/, "") ?? String((error as Error).message);
  if (saysDiskFull(written)) {
    return new KindredError(
      "resource-exhausted",
      `no disk space is left for the database in ${options.cluster}`,
    );
  }
  if (/Address already in use|could not create any TCP\/IP sockets/.test(written)) {
    return portTaken(port, error);
  }
  return new KindredError("internal", `the database did not start: ${text} (log: ${options.log})`, {
    cause: error,
  });
}
