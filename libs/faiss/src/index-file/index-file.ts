import { KindredError } from "@kindred/errors";

/** Rows of an index, in ascending position. */
export interface FaissBatch {
  /** Position of the first row: 0-based, in the order of the index. */
  first: number;
  /** External ids, one per row; the positions themselves where the index has no ids. */
  ids: BigInt64Array;
  /** Row-major, rows x dimensions. The caller's to keep: no batch shares memory with another. */
  vectors: Float32Array;
}

/** A FAISS index file that was opened for reading. Its vectors stay on disk until `batches` asks for them. */
export interface FaissIndex extends AsyncDisposable {
  /** What it is, in FAISS's terms, e.g. "IndexIDMap2(IndexFlatIP)". */
  readonly kind: string;
  readonly dimensions: number;
  readonly metric: "inner-product" | "l2";
  /** Vectors in it. */
  readonly count: number;
  /** Whether it gives its vectors ids of its own. */
  readonly hasIds: boolean;
  /** Why the vectors are not exactly those that were added, or undefined where they are. */
  readonly approximate: string | undefined;
  /**
   * All rows, some at a time. Memory is that of one batch, and for an inverted file 8 bytes more for each vector.
   * @throws KindredError data-loss where the file is damaged; what the signal was aborted with
   */
  batches(options?: { rows?: number; signal?: AbortSignal }): AsyncGenerator<FaissBatch>;
}

/**
 * Opens an index that FAISS wrote with `write_index`, and checks all of it but the vectors themselves.
 * @throws KindredError not-found, unimplemented (a kind of index that cannot be read: what to do is in the message),
 *   data-loss (not such a file, cut short, contradicts itself)
 */
export function openFaissIndex(path: string): Promise<FaissIndex> {
  return Promise.reject(new KindredError("unimplemented", `${path}: reading FAISS indexes is not available yet`));
}
