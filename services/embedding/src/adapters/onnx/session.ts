import { InferenceSession, Tensor } from "onnxruntime-node";
import { ATTENTION_MASK, EMBEDDINGS, INPUT_IDS } from "../../domain/compiler/bert-graph.ts";
import type { TokenBatch } from "../../domain/inference.ts";
import { needsExactProducts } from "./cpu-features.ts";
import type { ExecutionProvider } from "./execution-provider.ts";

export interface SessionOptions {
  /** Path of the compiled model. */
  readonly modelPath: string;
  readonly provider: ExecutionProvider;
  readonly intraOpThreads: number;
}

/** What goes wrong is thrown, and logged by whoever catches it. */
const LOG_NOTHING_BUT_FATAL = 4;

/** Opens ONNX Runtime on a compiled model. */
export function openInferenceSession(options: SessionOptions): Promise<InferenceSession> {
  return InferenceSession.create(options.modelPath, {
    executionProviders: options.provider === "cuda" ? ["cuda", "cpu"] : ["cpu"],
    intraOpNumThreads: options.intraOpThreads,
    interOpNumThreads: 1,
    executionMode: "sequential",
    graphOptimizationLevel: "all",
    // Patterns are kept per input shape, and here nearly every batch has a shape of its own.
    enableMemPattern: false,
    logSeverityLevel: LOG_NOTHING_BUT_FATAL,
    extra: {
      // Its kernel is slower than the nodes it replaces; see addAndNormalize in bert-graph.ts.
      optimization: { disable_specified_optimizers: "SkipLayerNormFusion" },
      session: { x64quantprecision: needsExactProducts() ? "1" : "0" },
    },
  });
}

/** The named inputs of a batch. */
export function feedsOf(batch: TokenBatch): Record<string, Tensor> {
  const { rows, columns } = batch;
  const mask = new Int32Array(rows * columns);
  for (let row = 0; row < rows; row++) {
    mask.fill(1, row * columns, row * columns + (batch.lengths[row] as number));
  }
  return {
    [INPUT_IDS]: new Tensor("int32", batch.ids, [rows, columns]),
    [ATTENTION_MASK]: new Tensor("int32", mask, [rows, columns]),
  };
}

/** Runs one batch. Blocks the thread while it runs. @returns rows x dimensions floats, the caller's own. */
export async function runBatch(
  session: InferenceSession,
  batch: TokenBatch,
): Promise<Float32Array<ArrayBuffer>> {
  const results = await session.run(feedsOf(batch), [EMBEDDINGS]);
  const output = results[EMBEDDINGS] as Tensor;
  try {
    return (output.data as Float32Array).slice();
  } finally {
    output.dispose();
  }
}
