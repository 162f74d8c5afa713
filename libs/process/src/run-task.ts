import { fileURLToPath } from "node:url";
import { basename } from "node:path";
import { describeExit, ended, exitStatus, killGroup, startNode, type ChildOptions } from "./child.ts";
import { readLines, Tail } from "./lines.ts";

export interface TaskOptions extends ChildOptions {
  /** Every JSON line of standard output, parsed. */
  onMessage?: (message: unknown) => void;
  /** Every other line of standard output, and those of standard error. */
  onLog?: (line: string, stream: "stdout" | "stderr") => void;
  /** Ends the task and what it has started itself. */
  signal?: AbortSignal;
}

/** A task ended with an exit code other than 0; the message ends with the last lines of its standard error. */
export class TaskError extends Error {
  override readonly name = "TaskError";
  /** As a shell reports it: 128 plus the signal's number for a task that was killed. */
  readonly exitCode: number;
  /** The last lines of standard error. */
  readonly stderr: readonly string[];

  constructor(message: string, exitCode: number, stderr: readonly string[]) {
    super(message);
    this.exitCode = exitCode;
    this.stderr = stderr;
  }
}

const EXIT_WITH_PARENT = fileURLToPath(new URL("exit-with-parent.ts", import.meta.url));

/**
 * Runs an entry to its end. The task does not outlive this process: when this one dies, however it does, the task ends too.
 * @throws TaskError when the exit code is not 0; the signal's reason when it was aborted.
 */
export async function runTask(options: TaskOptions): Promise<void> {
  options.signal?.throwIfAborted();
  const child = startNode({
    ...options,
    nodeArgs: [...(options.nodeArgs ?? []), `--import=${EXIT_WITH_PARENT}`],
  });
  const stop = (): void => killGroup(child, "SIGTERM");
  options.signal?.addEventListener("abort", stop, { once: true });
  const tail = new Tail();
  if (child.stdout) readLines(child.stdout, (line) => deliver(line, options));
  if (child.stderr) {
    readLines(child.stderr, (line) => {
      tail.push(line);
      options.onLog?.(line, "stderr");
    });
  }
  try {
    const exit = await ended(child);
    options.signal?.throwIfAborted();
    if (exit.code === 0) return;
    const said = tail.lines.filter((line) => line.trim() !== "").join("\n");
    const what = `${basename(options.entry)}: ${describeExit(exit)}`;
    throw new TaskError(said === "" ? what : `${what}\n${said}`, exitStatus(exit), tail.lines);
  } finally {
    options.signal?.removeEventListener("abort", stop);
  }
}

function deliver(line: string, { onMessage, onLog }: TaskOptions): void {
  let message: unknown;
  try {
    message = JSON.parse(line);
  } catch {
    onLog?.(line, "stdout");
    return;
  }
  onMessage?.(message);
}
