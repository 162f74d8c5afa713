import type { ChildProcess } from "node:child_process";
import { CONFIG_EXIT_CODE } from "@kindred/config";
import { KindredError, messageOf } from "@kindred/errors";
import { describeExit, ended, killGroup, startNode, type ChildOptions, type Exit } from "./child.ts";
import { readLines, Tail } from "./lines.ts";
import { isServiceMessage, type ReadyMessage } from "./messages.ts";

export type ProcessState =
  | { kind: "starting"; pid: number; attempt: number }
  | { kind: "ready"; pid: number; message: ReadyMessage; restarts: number }
  /** Ended, and waits to be started again. */
  | { kind: "waiting"; reason: string; delayMs: number }
  | { kind: "stopping"; pid: number }
  /** Ended because stop() was called. */
  | { kind: "stopped" }
  /** Ended, and will not be started again. */
  | { kind: "failed"; reason: string };

export interface SuperviseOptions extends Omit<ChildOptions, "env"> {
  /** For people, e.g. "vector-store". */
  name: string;
  /**
   * Over the environment of this process. A function gets the last ready message, so that a restarted process can be given
   * the ports that its first start has chosen.
   */
  env:
    | Readonly<Record<string, string | undefined>>
    | ((lastReady: ReadyMessage | undefined) => Readonly<Record<string, string | undefined>>);
  /** "always" starts it again whatever ended it, until stop(). */
  restart: "always" | "never";
  /** Every line of standard output and standard error. */
  onLog: (line: string) => void;
  onState?: (state: ProcessState) => void;
  /** A process that is not ready by then is killed, and counts as one that died. Default 60 s. */
  readyTimeoutMs?: number;
  /** From SIGTERM to SIGKILL. Default 30 s. */
  stopTimeoutMs?: number;
  backoff?: Partial<Backoff>;
}

export interface Backoff {
  /** Delay before the first restart; it doubles with each one that follows. Default 250 ms. */
  firstMs: number;
  /** Default 10 s. */
  maxMs: number;
  /** A process that was ready for this long starts the count anew. Default 30 s. */
  stableMs: number;
  /** Gives up after this many starts in a row that did not get ready. Default 5. */
  maxFailedStarts: number;
}

/**
 * Starts a service (see runService) and keeps it running.
 *
 * A start fails when the process ends, or is killed for lateness, before it has said that it is ready. The supervisor gives up
 * after `maxFailedStarts` such starts in a row, or at once when the configuration is at fault (exit code 78): its state is then
 * "failed", with the reason in one line.
 */
export function superviseProcess(options: SuperviseOptions): SupervisedProcess {
  return new SupervisedProcess(options);
}

export class SupervisedProcess implements AsyncDisposable {
  readonly name: string;
  /** The first ready message. Rejects with KindredError(unavailable) when the supervisor gives up or is stopped before. */
  readonly ready: Promise<ReadyMessage>;

  readonly #options: SuperviseOptions;
  readonly #backoff: Backoff;
  #nextReady = expected<ReadyMessage>();
  readonly #stop = Promise.withResolvers<void>();
  readonly #done: Promise<void>;
  #state: ProcessState;
  #child: ChildProcess | undefined;
  #lastReady: ReadyMessage | undefined;
  #stopRequested = false;
  #starts = 0;

  constructor(options: SuperviseOptions) {
    this.name = options.name;
    this.#options = options;
    this.#backoff = { firstMs: 250, maxMs: 10_000, stableMs: 30_000, maxFailedStarts: 5, ...options.backoff };
    this.ready = this.#nextReady.promise;
    this.#state = { kind: "waiting", reason: "not started yet", delayMs: 0 };
    this.#done = this.#run();
  }

  get state(): ProcessState {
    return this.#state;
  }

  /** Of the process that runs now. */
  get pid(): number | undefined {
    return this.#child?.exitCode === null && this.#child.signalCode === null ? this.#child.pid : undefined;
  }

  /** The latest ready message; undefined before the first. */
  get lastReady(): ReadyMessage | undefined {
    return this.#lastReady;
  }

  /** Resolves at the next time the process gets ready. Rejects when the supervisor gives up or is stopped before. */
  nextReady(): Promise<ReadyMessage> {
    return this.#nextReady.promise;
  }

  /** SIGTERM, and SIGKILL at the deadline. Resolves when the process has ended; may be called again and at any time. */
  async stop(): Promise<void> {
    if (!this.#stopRequested) {
      this.#stopRequested = true;
      this.#stop.resolve();
    }
    await this.#done;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
  }

  #enter(state: ProcessState): void {
    this.#state = state;
    this.#options.onState?.(state);
  }

  async #run(): Promise<void> {
    // The caller gets the object before the first callback.
    await Promise.resolve();
    let failedStarts = 0;
    let delays = 0;
    while (!this.#stopRequested) {
      const life = await this.#runOnce();
      if (this.#stopRequested) break;
      failedStarts = life.wasReady ? 0 : failedStarts + 1;
      if (life.readyForMs >= this.#backoff.stableMs) delays = 0;
      const hopeless = this.#hopeless(life, failedStarts);
      if (hopeless !== undefined) {
        this.#enter({ kind: "failed", reason: hopeless });
        this.#nextReady.reject(new KindredError("unavailable", hopeless));
        return;
      }
      const delayMs = Math.min(this.#backoff.firstMs * 2 ** delays++, this.#backoff.maxMs);
      this.#enter({ kind: "waiting", reason: life.reason, delayMs });
      await this.#pause(delayMs);
    }
    this.#enter({ kind: "stopped" });
    this.#nextReady.reject(new KindredError("unavailable", `${this.name} was stopped before it was ready`));
  }

  #hopeless(life: Life, failedStarts: number): string | undefined {
    if (this.#options.restart === "never") return `${this.name} ended: ${life.reason}`;
    if (life.exit?.code === CONFIG_EXIT_CODE) return `${this.name} cannot start: ${life.reason}`;
    if (failedStarts < this.#backoff.maxFailedStarts) return undefined;
    return `${this.name} could not be started in ${failedStarts} attempts; the last: ${life.reason}`;
  }

  async #runOnce(): Promise<Life> {
    const { env, readyTimeoutMs = 60_000 } = this.#options;
    const child = startNode({
      ...this.#options,
      env: typeof env === "function" ? env(this.#lastReady) : env,
    });
    this.#child = child;
    const exited = ended(child);
    const tail = new Tail();
    if (child.stdout) readLines(child.stdout, this.#options.onLog);
    if (child.stderr) {
      readLines(child.stderr, (line) => {
        tail.push(line);
        this.#options.onLog(line);
      });
    }
    let failure: string | undefined;
    let readyAt: number | undefined;
    let late = false;
    if (child.pid !== undefined) this.#enter({ kind: "starting", pid: child.pid, attempt: ++this.#starts });
    const lateness = setTimeout(() => {
      late = true;
      killGroup(child, "SIGKILL");
    }, readyTimeoutMs);
    child.on("message", (message) => {
      if (!isServiceMessage(message)) return;
      if (message.type === "failed") {
        failure = message.message;
      } else if (!this.#stopRequested && child.pid !== undefined) {
        clearTimeout(lateness);
        readyAt = performance.now();
        this.#lastReady = message;
        this.#enter({ kind: "ready", pid: child.pid, message, restarts: this.#starts - 1 });
        this.#nextReady.resolve(message);
        this.#nextReady = expected();
      }
    });
    const over = new AbortController();
    void this.#stop.promise.then(() => this.#end(child, over.signal));
    let exit: Exit | undefined;
    try {
      exit = await exited;
    } catch (error) {
      failure = messageOf(error);
    } finally {
      clearTimeout(lateness);
      over.abort();
    }
    return {
      exit,
      wasReady: readyAt !== undefined,
      readyForMs: readyAt === undefined ? 0 : performance.now() - readyAt,
      reason: late
        ? `not ready after ${readyTimeoutMs / 1000} s`
        : [exit && describeExit(exit), failure ?? lastWords(tail.lines)].filter(Boolean).join(": "),
    };
  }

  /** SIGTERM now; SIGKILL for the whole group at the deadline, unless it is over before. */
  #end(child: ChildProcess, over: AbortSignal): void {
    if (over.aborted || child.pid === undefined) return;
    this.#enter({ kind: "stopping", pid: child.pid });
    child.kill("SIGTERM");
    const deadline = setTimeout(() => killGroup(child, "SIGKILL"), this.#options.stopTimeoutMs ?? 30_000);
    over.addEventListener("abort", () => clearTimeout(deadline), { once: true });
  }

  async #pause(ms: number): Promise<void> {
    let timer: NodeJS.Timeout | undefined;
    const slept = new Promise<void>((resolve) => {
      timer = setTimeout(resolve, ms);
    });
    await Promise.race([slept, this.#stop.promise]);
    clearTimeout(timer);
  }
}

/** A promise that nobody has to wait for. */
function expected<T>(): PromiseWithResolvers<T> {
  const resolvers = Promise.withResolvers<T>();
  resolvers.promise.catch(() => {});
  return resolvers;
}

/** One run of the process, from start to end. */
interface Life {
  exit: Exit | undefined;
  wasReady: boolean;
  readyForMs: number;
  reason: string;
}

/** The last complaint of the process, for people: of a JSON log line its message, of a stack trace the error. */
function lastWords(lines: readonly string[]): string | undefined {
  const complaints = lines.map(complaint).filter((words) => words !== undefined);
  return complaints.findLast((words) => /^\w*Error\b.*:/.test(words)) ?? complaints.at(-1);
}

function complaint(line: string): string | undefined {
  if (line.trim() === "") return undefined;
  let entry: { level?: string; msg?: string; err?: { message?: string } };
  try {
    entry = JSON.parse(line) as typeof entry;
  } catch {
    return line;
  }
  if (!["fatal", "error", "warn"].includes(entry.level ?? "")) return undefined;
  return [entry.msg, entry.err?.message].filter(Boolean).join(": ");
}
