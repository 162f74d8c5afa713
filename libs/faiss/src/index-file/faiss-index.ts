/** Rows of an index, in ascending position. */
export interface FaissBatch {
  /** Position of the first row: 0-based, in the order of the index. */
  first: number;
  /** External ids, one a row; the positions themselves where the index has no ids. */
  ids: BigInt64Array;
  /** Row-major, rows x dimensions. The caller's to keep: no two batches share memory. */
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
  /** Whether it gives its vectors ids of its own. Where an inverted file does, positions follow ascending ids. */
  readonly hasIds: boolean;
  /** Why the vectors are not exactly those that were added, or undefined where they are. */
  readonly approximate: string | undefined;
  /**
   * All rows, `rows` at a time (4 MiB of vectors unless given); the last batch has what is left. Memory is that of one batch. An inverted
   * file takes 32 MiB of codes beside it, and 4 bytes a vector while it is open, 12 where it has ids of its own.
   * @throws KindredError data-loss where the file has become shorter; what the signal was aborted with
   */
  batches(options?: { rows?: number; signal?: AbortSignal }): AsyncGenerator<FaissBatch>;
}
