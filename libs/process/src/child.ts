import { spawn, type ChildProcess } from "node:child_process";
import { constants } from "node:os";
import { readEnvironment } from "@kindred/config";

export interface ChildOptions {
  /** Path of the .ts file to run. */
  entry: string;
  args?: readonly string[];
  /** Over the environment of this process; undefined takes a variable away. */
  env?: Readonly<Record<string, string | undefined>>;
  nodeArgs?: readonly string[];
  cwd?: string;
}

const groups = process.platform !== "win32";

/**
 * Starts Node on an entry, with pipes for its output and an IPC channel, in a process group of its own: Ctrl+C in the
 * terminal reaches the parent alone, which then stops its children in order.
 */
export function startNode(options: ChildOptions): ChildProcess {
  return spawn(
    process.execPath,
    [
      "--disable-warning=ExperimentalWarning",
      ...(options.nodeArgs ?? []),
      options.entry,
      ...(options.args ?? []),
    ],
    {
      stdio: ["ignore", "pipe", "pipe", "ipc"],
      detached: groups,
      windowsHide: true,
      env: { ...readEnvironment(), ...options.env },
      ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
    },
  );
}

/** Kills the child and what it has started itself. */
export function killGroup(child: ChildProcess, signal: "SIGTERM" | "SIGKILL"): void {
  if (child.pid === undefined) return;
  if (groups) {
    try {
      process.kill(-child.pid, signal);
      return;
    } catch (error) {
      // The group is gone once its last process is.
      if ((error as NodeJS.ErrnoException).code === "ESRCH") return;
      if ((error as NodeJS.ErrnoException).code !== "EPERM") throw error;
    }
  }
  child.kill(signal);
}

/** How a process ended. */
export interface Exit {
  code: number | null;
  signal: NodeJS.Signals | null;
}

/** "exit code 1", "killed by SIGKILL". */
export function describeExit({ code, signal }: Exit): string {
  return signal === null ? `exit code ${code}` : `killed by ${signal}`;
}

/** As a shell reports it: the code, or 128 plus the signal's number. */
export function exitStatus({ code, signal }: Exit): number {
  return code ?? 128 + (signal === null ? 0 : constants.signals[signal]);
}

/**
 * Settles when the process has ended and its output has been read, or a moment later where a grandchild keeps the pipes open.
 * @throws Error when the process could not be started at all.
 */
export function ended(child: ChildProcess): Promise<Exit> {
  return new Promise((resolve, reject) => {
    child.once("error", (error) => {
      if (child.pid === undefined) reject(error);
    });
    child.once("exit", (code, signal) => {
      const exit = { code, signal };
      const giveUp = setTimeout(() => resolve(exit), 500);
      child.once("close", () => {
        clearTimeout(giveUp);
        resolve(exit);
      });
    });
  });
}
