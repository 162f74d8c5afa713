/** Tokens of several texts, ready for the model. */
export interface TokenBatch {
  /** rows x columns vocabulary ids, row-major; a row is padded at its right. */
  readonly ids: Int32Array<ArrayBuffer>;
  /** Tokens of each row; the rest of the row is padding. */
  readonly lengths: Int32Array<ArrayBuffer>;
  readonly rows: number;
  readonly columns: number;
}

export interface BatchResult {
  /** rows x dimensions floats, in the order of the rows. */
  readonly vectors: Float32Array<ArrayBuffer>;
  /** Time inside the model. */
  readonly inferenceMs: number;
}

/** Runs batches somewhere else than on the calling thread. */
export interface InferencePort {
  /** Batches that run at the same time; more are better held back, in case something urgent comes. */
  readonly concurrency: number;
  /** Whether anything is there to run batches. Batches wait for it for a while, so that work in progress survives a crash. */
  readonly available: boolean;
  /** Rejects with a KindredError when the batch cannot be run. */
  run(batch: TokenBatch): Promise<BatchResult>;
}
