import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Tensor } from "onnxruntime-node";
import type { BertWeights } from "../../domain/compiler/bert.ts";
import { buildBertGraph } from "../../domain/compiler/bert-graph.ts";
import type { ChannelRange, Site } from "../../domain/compiler/calibration.ts";
import type { TokenBatch } from "../../domain/inference.ts";
import type { ModelArchitecture } from "../../domain/model.ts";
import { MODEL_FILE, writeModel } from "./compiled-model.ts";
import { feedsOf, openInferenceSession } from "./session.ts";

function widen(
  range: { low: Float32Array; high: Float32Array },
  values: Float32Array,
  batch: TokenBatch,
): void {
  const channels = range.low.length;
  for (let row = 0; row < batch.rows; row++) {
    const start = row * batch.columns * channels;
    const end = start + (batch.lengths[row] as number) * channels;
    for (let i = start; i < end; i++) {
      const [channel, value] = [(i - start) % channels, values[i] as number];
      if (value < (range.low[channel] as number)) range.low[channel] = value;
      if (value > (range.high[channel] as number)) range.high[channel] = value;
    }
  }
}

/** Runs the float32 model over batches and notes the range of every channel that goes into a product. */
export async function observeRanges(
  weights: BertWeights,
  model: ModelArchitecture,
  batches: Iterable<TokenBatch>,
): Promise<ReadonlyMap<Site, ChannelRange>> {
  const { graph, productInputs } = buildBertGraph(weights, model, { observe: true });
  const folder = await mkdtemp(join(tmpdir(), "kindred-calibration-"));
  try {
    await writeModel(folder, graph, {});
    const session = await openInferenceSession({
      modelPath: join(folder, MODEL_FILE),
      provider: "cpu",
      intraOpThreads: 2,
    });
    const ranges = new Map<Site, { low: Float32Array; high: Float32Array }>();
    for (const batch of batches) {
      const results = await session.run(feedsOf(batch));
      for (const [site, value] of productInputs) {
        const tensor = results[value] as Tensor;
        const channels = tensor.dims.at(-1) as number;
        let range = ranges.get(site);
        if (range === undefined) {
          range = { low: new Float32Array(channels), high: new Float32Array(channels) };
          ranges.set(site, range);
        }
        widen(range, tensor.data as Float32Array, batch);
      }
    }
    await session.release();
    return ranges;
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
