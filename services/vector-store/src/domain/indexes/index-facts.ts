import type { Collection, ElementType } from "../collection.ts";
import type { CallLimits } from "../ports.ts";
import type { IndexMethod, IndexSpec } from "./index-spec.ts";

/** A table, as far as an index of it depends on that. */
export interface TableFacts {
  /** As PostgreSQL estimates them. */
  rows: number;
  /** Of the heap alone, without what is kept beside it (TOAST): the builder's processes share its pages among them. */
  heapBytes: number;
  /** As PostgreSQL's statistics have them, a second or so old. */
  liveTuples: number;
  deadTuples: number;
  /** Rows that were ever added, changed or deleted: two equal numbers mean that nobody wrote in between. */
  changes: number;
  /** Whether the planner's statistics were ever brought up to date. */
  analyzed: boolean;
}

/** A server, as far as builds depend on it. */
export interface ServerFacts {
  /** Of pgvector; undefined without it. */
  vectorVersion: string | undefined;
  /** The version from which on no fault is known, where this one has some that VACUUM of an HNSW index meets. */
  soundVectorVersion: string | undefined;
  /** Whether vectorscale, and with it DiskANN, is there. */
  vectorscale: boolean;
  /** In bytes, as the server has it; a build may raise it for itself. */
  maintenanceWorkMem: number;
  /** max_parallel_maintenance_workers, as far as max_parallel_workers and max_worker_processes allow that many. */
  parallelWorkers: number;
  /** min_parallel_table_scan_size, in bytes: smaller tables are scanned by one process. */
  minParallelBytes: number;
  /** Whether others can read and write while an index is being built. */
  online: boolean;
}

/** A build whose time was taken. */
export interface TimedBuild {
  spec: IndexSpec;
  /** What the index compares. */
  type: ElementType;
  rows: number;
  dimensions: number;
  /** Beside the leader. */
  workers: number;
  /** Whether others could write meanwhile. */
  online: boolean;
  ms: number;
}

/** What planning asks of the database. Implementations throw KindredErrors. */
export interface IndexFacts {
  table(collection: Collection, limits: CallLimits): Promise<TableFacts>;
  server(limits: CallLimits): Promise<ServerFacts>;
  /** Of any collection of this server, the latest first, those of this one before others. */
  earlierBuilds(
    collection: Collection,
    which: { method: IndexMethod; type: ElementType },
    limits: CallLimits,
  ): Promise<TimedBuild[]>;
  /**
   * Builds the index of a sample of so many rows, on one process, in a table that nobody else sees and that is gone afterwards.
   * @returns undefined where that cannot be done: too few rows, or no right to make temporary tables
   */
  sampleBuild(
    collection: Collection,
    spec: IndexSpec,
    rows: number,
    limits: CallLimits,
  ): Promise<TimedBuild | undefined>;
}
