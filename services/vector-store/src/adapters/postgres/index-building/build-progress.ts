import type { Database } from "@kindred/postgres";
import type { StepContext } from "../../../domain/indexes/index-ports.ts";

const POLL_MS = 500;

interface ProgressRow {
  phase: string;
  lockers_total: string;
  lockers_done: string;
  blocks_total: string;
  blocks_done: string;
  tuples_total: string;
  tuples_done: string;
  workers: string;
}

/** A build, or the part of one that is this partition's. */
export interface BuildProgress {
  detail: string;
  done: number;
  /** 0 where that is not known. */
  total: number;
  unit: string;
}

/** How a build stands, to whoever is told; and how many processes beside its own took part. */
export interface ProgressWatch extends AsyncDisposable {
  readonly workers: number;
}

/**
 * Looks from another session how a build stands, some times a second, until it is disposed of. A look that fails is left out: the build
 * itself says what is wrong with the database.
 */
export function watchProgress(
  db: Database,
  pid: number,
  tell: (progress: BuildProgress) => void,
): ProgressWatch {
  const stopping = new AbortController();
  let workers = 0;
  const look = async (): Promise<void> => {
    const { rows } = await db.query<ProgressRow>(
      `SELECT p.phase, p.lockers_total, p.lockers_done, p.blocks_total, p.blocks_done, p.tuples_total, p.tuples_done,
              (SELECT count(*) FROM pg_stat_activity w WHERE w.leader_pid = p.pid) AS workers
         FROM pg_stat_progress_create_index p WHERE p.pid = $1`,
      [pid],
    );
    const [row] = rows;
    if (!row || stopping.signal.aborted) return;
    workers = Math.max(workers, Number(row.workers));
    tell(toProgress(row));
  };
  const watching = (async () => {
    while (!stopping.signal.aborted) {
      await look().catch((error: unknown) =>
        db.logger.debug({ err: error, pid }, "the progress of an index build could not be read"),
      );
      await pause(POLL_MS, stopping.signal);
    }
  })();
  return {
    get workers() {
      return workers;
    },
    async [Symbol.asyncDispose]() {
      stopping.abort();
      await watching;
    },
  };
}

/** Phases as PostgreSQL's documentation (28.4.4) and pgvector's README name them, said so that people know what goes on. */
const PHASES: Record<string, string> = {
  initializing: "preparing",
  "waiting for writers before build": "waiting for transactions that write",
  "building index: initializing": "preparing",
  "building index: performing k-means": "finding lists by k-means",
  "building index: assigning tuples": "assigning rows to lists",
  "building index: sorting tuples": "sorting rows",
  "building index: loading tuples": "loading rows",
  "building index: building graph": "building the graph",
  "waiting for writers before validation": "waiting for transactions that write",
  "index validation: scanning index": "validating: scanning the index",
  "index validation: sorting tuples": "validating: sorting rows",
  "index validation: scanning table": "validating: looking for rows that came meanwhile",
  "waiting for old snapshots": "waiting for older transactions",
  "waiting for readers before marking dead": "waiting for transactions that read the old index",
  "waiting for readers before dropping": "waiting for transactions that read the old index",
};

export function toProgress(row: ProgressRow): BuildProgress {
  const detail = PHASES[row.phase] ?? row.phase.replace(/^building index: /, "");
  const [lockers, tuples, blocks] = [row.lockers_total, row.tuples_total, row.blocks_total].map(Number) as [
    number,
    number,
    number,
  ];
  if (row.phase.startsWith("waiting")) {
    // The one that is waited for is counted as done by PostgreSQL before it ends.
    return {
      detail,
      done: Math.min(lockers, Number(row.lockers_done)),
      total: lockers,
      unit: "transactions",
    };
  }
  // Not every phase of every method counts rows; scans of the table count blocks.
  if (tuples > 0)
    return { detail, done: Math.min(tuples, Number(row.tuples_done)), total: tuples, unit: "rows" };
  return { detail, done: Math.min(blocks, Number(row.blocks_done)), total: blocks, unit: "blocks" };
}

/** Progress of one partition as that of all of them: blocks of their tables, as many as are done. */
export function partitionProgress(
  step: Pick<StepContext, "report">,
  partitions: readonly { blocks: number }[],
  current: number,
): (progress: BuildProgress) => void {
  const blocks = (from: number, to: number): number =>
    partitions.slice(from, to).reduce((sum, partition) => sum + partition.blocks, 0);
  const [before, own, total] = [
    blocks(0, current),
    blocks(current, current + 1),
    blocks(0, partitions.length),
  ];
  return ({ detail, done, total: ofPhase, unit }) => {
    const scanning = unit !== "transactions" && ofPhase > 0;
    step.report({
      detail: `partition ${current + 1} of ${partitions.length}: ${detail}`,
      done: Math.round(before + (scanning ? own * Math.min(1, done / ofPhase) : 0)),
      total,
      unit: "blocks",
    });
  };
}

function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, ms);
    signal.addEventListener(
      "abort",
      () => {
        clearTimeout(timer);
        resolve();
      },
      { once: true },
    );
  });
}
