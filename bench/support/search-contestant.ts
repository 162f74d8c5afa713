import { fork } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";

/** How a contestant asks; each is a process of its own with eight connections, or one channel. */
export type SearchKind = "grpc" | "pg-text" | "pg-binary";

export interface SearchSetup {
  readonly kind: SearchKind;
  /** host:port of the service. */
  readonly address: string;
  readonly databaseUrl: string;
  readonly collection: string;
  /** Quoted. */
  readonly table: string;
  /** File of little-endian float32, row after row. */
  readonly queries: string;
  readonly dimensions: number;
  readonly k: number;
}

export interface SearchRun {
  readonly efSearch: number;
  readonly clients: number;
  readonly seconds: number;
}

export interface SearchReport {
  readonly queriesPerSecond: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
}

/** A process that searches without pause when it is told to. */
export interface SearchContestant extends AsyncDisposable {
  readonly kind: SearchKind;
  run(run: SearchRun): Promise<SearchReport>;
  /** Keys of the nearest to the first queries, a list each. */
  keys(run: Pick<SearchRun, "efSearch">, count: number): Promise<string[][]>;
}

export type SearchCommand = { run: SearchRun } | { keys: number; efSearch: number };
export type SearchReply = { ready: true } | SearchReport | { keys: string[][] } | { error: string };

/** Starts one and waits until it is connected. */
export async function startSearchContestant(setup: SearchSetup): Promise<SearchContestant> {
  const entry = fileURLToPath(new URL("search-process.ts", import.meta.url));
  const child = fork(entry, [JSON.stringify(setup)], { serialization: "advanced" });
  const ask = async (command?: SearchCommand): Promise<SearchReply> => {
    const answered = Promise.race([once(child, "message"), once(child, "exit")]);
    if (command) child.send(command);
    const [reply] = (await answered) as [SearchReply | number | null];
    if (reply === null || typeof reply === "number")
      throw new Error(`${setup.kind} ended with code ${reply}`);
    if ("error" in reply) throw new Error(`${setup.kind}: ${reply.error}`);
    return reply;
  };
  await ask();
  return {
    kind: setup.kind,
    run: async (run) => (await ask({ run })) as SearchReport,
    keys: async ({ efSearch }, count) =>
      ((await ask({ keys: count, efSearch })) as { keys: string[][] }).keys,
    async [Symbol.asyncDispose]() {
      if (child.exitCode !== null || child.signalCode !== null) return;
      const exited = once(child, "exit");
      child.disconnect();
      await exited;
    },
  };
}
