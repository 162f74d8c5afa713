import { mkdir } from "node:fs/promises";
import { KindredError } from "@kindred/errors";
import { lockFile, readJson, readLock, writeWhole } from "@kindred/process";
import type { SongsCommand, SongsLayout } from "./layout.ts";
import type { Progress, ProgressSnapshot } from "./progress.ts";

/** How often a run says how far it is. */
const WRITE_EVERY_MS = 1_000;

/** How a run stands, as it says itself; whether a "running" one is alive still is told by its lock. */
export type RunState = "running" | "done" | "interrupted" | "failed";

/** What a run says of itself: `runs/<command>.json`. */
export interface RunRecord {
  version: 1;
  command: SongsCommand;
  pid: number;
  state: RunState;
  /** Why it failed or stopped; what it did, when it is done. */
  message: string | null;
  /** ISO 8601. */
  startedAt: string;
  updatedAt: string;
  progress: ProgressSnapshot;
}

/** A run that others can see. Disposing of one that has not ended says that it failed. */
export interface SongsRun extends AsyncDisposable {
  /** Whether an earlier run of this command died without saying so. */
  readonly takenOver: boolean;
  /** The last word. */
  end(state: Exclude<RunState, "running">, message: string): Promise<void>;
}

export interface SongsRunOptions {
  /** The record cannot be written; called once. The work itself goes on, for nothing depends on the record. */
  onRecordError: (error: unknown) => void;
}

/**
 * Makes this process the only one that runs this command on this folder, which is made where it is missing, and writes down once
 * a second how far it is.
 * @throws KindredError failed-precondition when another process runs it
 */
export async function startSongsRun(
  layout: SongsLayout,
  command: SongsCommand,
  progress: Pick<Progress, "snapshot">,
  options: SongsRunOptions,
): Promise<SongsRun> {
  await mkdir(layout.runs, { recursive: true });
  const lock = await lockFile(layout.lock(command));
  if ("heldBy" in lock) {
    throw new KindredError(
      "failed-precondition",
      `kindred songs ${command} runs on ${layout.folder} already, as process ${lock.heldBy}`,
    );
  }
  const startedAt = new Date().toISOString();
  let complained = false;
  const write = async (state: RunState, message: string | null): Promise<void> => {
    const record: RunRecord = {
      version: 1,
      command,
      pid: process.pid,
      state,
      message,
      startedAt,
      updatedAt: new Date().toISOString(),
      progress: progress.snapshot(),
    };
    try {
      await writeWhole(layout.run(command), `${JSON.stringify(record, undefined, 2)}\n`, { durable: false });
    } catch (error) {
      if (!complained) options.onRecordError(error);
      complained = true;
    }
  };
  // One write after the other, so that the last word is the last one.
  let writing = write("running", null);
  let isBusy = false;
  const timer = setInterval(() => {
    if (isBusy) return;
    isBusy = true;
    writing = writing.then(() => write("running", null)).finally(() => (isBusy = false));
  }, WRITE_EVERY_MS).unref();
  await writing;
  let ended = false;
  const end: SongsRun["end"] = async (state, message) => {
    if (ended) return;
    ended = true;
    clearInterval(timer);
    await writing;
    await write(state, message);
  };
  return {
    takenOver: lock.takenOver,
    end,
    [Symbol.asyncDispose]: async () => {
      await end("failed", "it ended without saying why");
      await lock[Symbol.asyncDispose]();
    },
  };
}

/** The latest run of a command, and whether it is alive. */
export interface SeenRun extends RunRecord {
  isAlive: boolean;
}

/** Looks at the latest run of a command without touching it. @throws KindredError data-loss when its record is none. */
export async function readRun(layout: SongsLayout, command: SongsCommand): Promise<SeenRun | undefined> {
  const path = layout.run(command);
  const [found, holder] = [await readJson(path), await readLock(layout.lock(command))];
  if (found === undefined) return undefined;
  if (!isRecord(found)) throw new KindredError("data-loss", `${path} is no record of a run of version 1`);
  return { ...found, isAlive: found.state === "running" && holder === found.pid };
}

function isRecord(value: unknown): value is RunRecord {
  const { version, state, pid, progress } = (value ?? {}) as Partial<RunRecord>;
  return (
    version === 1 &&
    typeof state === "string" &&
    typeof pid === "number" &&
    typeof progress?.done === "number"
  );
}
