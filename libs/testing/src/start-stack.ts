import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  repositoryPath,
  resolvePlaces,
  runTask,
  startProcesses,
  type ProcessStack,
  type ServiceName,
  type SupervisedProcess,
} from "@kindred/process";
import { anyTestFailed } from "./test-failures.ts";
import { testDatabase, type TestDatabase } from "./test-database.ts";

export interface StartStackOptions {
  /** Which services; all four when not given. */
  services?: readonly string[];
  /** For every process of the stack. */
  env?: Readonly<Record<string, string>>;
  /** The HTTP origin too. */
  origin?: boolean;
}

/** Kindred as it runs for people: real processes, the real model, a database of its own. */
export interface Stack extends AsyncDisposable {
  /** host:port of each service's gRPC port. */
  readonly addresses: Readonly<Record<string, string>>;
  /** http://host:port of each service's HTTP port. */
  readonly httpUrls: Readonly<Record<string, string>>;
  /** http://host:port; undefined unless it was asked for. */
  readonly originUrl: string | undefined;
  /** undefined when none of the services has a database. */
  readonly database: Pick<TestDatabase, "url" | "kind"> | undefined;
  /** Where the origin takes pictures from. */
  readonly mediaRoot: string;
  /** @throws Error when the stack has no such process. */
  process(name: string): SupervisedProcess;
  /** Kills the process with SIGKILL, and resolves when its successor is ready, on the same ports. */
  killAndAwaitRestart(name: string): Promise<void>;
  /** What the process has written so far, the last few thousand lines. */
  logs(name: string): readonly string[];
}

const KEPT_LINES = 5_000;
const SHOWN_LINES = 60;
const WITH_DATABASE = ["vector-store", "generation-tracking", "metrics"];

/**
 * Starts services as `kindred up` does, on free ports. The model is made ready first where the embedding service is among them; that
 * takes long only the first time on a machine. Disposing of the stack stops everything and drops the database; when a test of the file has
 * failed, the end of each process's log is printed.
 * @throws Error that shows the logs when a process does not get ready.
 */
export async function startStack(options: StartStackOptions = {}): Promise<Stack> {
  const names = options.services ?? ["embedding", ...WITH_DATABASE];
  await using cleanup = new AsyncDisposableStack();
  const logs = new Map<string, string[]>();
  const onLog = (name: string, line: string): void => {
    const lines = logs.get(name) ?? [];
    if (lines.length === 0) logs.set(name, lines);
    lines.push(line);
    if (lines.length > KEPT_LINES) lines.shift();
  };

  const mediaRoot = await mkdtemp(join(tmpdir(), "kindred-test-media-"));
  cleanup.defer(() => rm(mediaRoot, { recursive: true, force: true }));
  const database = names.some((name) => WITH_DATABASE.includes(name)) ? await testDatabase() : undefined;
  if (database) cleanup.use(database);
  const env = {
    KINDRED_CACHE_DIR: resolvePlaces(process.env).cache,
    ...options.env,
  };
  if (names.includes("embedding")) {
    await runTask({ entry: repositoryPath("services/embedding/src/prepare.ts"), env });
  }
  const processes = await startProcesses({
    services: names as readonly ServiceName[],
    env,
    onLog,
    ...(database && { databaseUrl: database.url }),
    ...(options.origin && { origin: { mediaRoot } }),
    supervision: { backoff: { firstMs: 100, maxMs: 1_000 } },
  });
  cleanup.use(processes);
  try {
    await processes.ready;
  } catch (error) {
    showLogs(logs);
    throw error;
  }
  const owned = cleanup.move();
  return {
    ...handles(processes, logs),
    database,
    mediaRoot,
    [Symbol.asyncDispose]: async () => {
      if (anyTestFailed()) showLogs(logs);
      await owned.disposeAsync();
    },
  };
}

type Handles = Pick<
  Stack,
  "addresses" | "httpUrls" | "originUrl" | "process" | "killAndAwaitRestart" | "logs"
>;

function handles(stack: ProcessStack, logs: ReadonlyMap<string, readonly string[]>): Handles {
  const find = (name: string): SupervisedProcess => {
    const found = stack.processes.get(name);
    if (!found) throw new Error(`the stack has no ${name}; it has ${[...stack.processes.keys()].join(", ")}`);
    return found;
  };
  return {
    addresses: stack.addresses,
    httpUrls: stack.httpUrls,
    originUrl: stack.originUrl,
    process: find,
    killAndAwaitRestart: async (name) => {
      const victim = find(name);
      const restarted = victim.nextReady();
      process.kill(victim.pid as number, "SIGKILL");
      await restarted;
    },
    logs: (name) => logs.get(name) ?? [],
  };
}

function showLogs(logs: ReadonlyMap<string, readonly string[]>): void {
  for (const [name, lines] of logs) {
    const shown = lines.slice(-SHOWN_LINES).join("\n");
    process.stderr.write(`── the last lines of ${name}\n${shown}\n`);
  }
}
