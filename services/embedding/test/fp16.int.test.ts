import { expect, test } from "@jest/globals";
import { readEnvironment } from "@kindred/config";
import { silentLogger } from "@kindred/testing";
import { openInferenceSession, runBatch } from "../src/adapters/onnx/session.ts";
import { openTokenizer } from "../src/adapters/tokenizer/huggingface.ts";
import { readModelConfig } from "../src/config.ts";
import { MINILM, MINILM_SPEC } from "../src/domain/model.ts";
import type { Precision } from "../src/domain/precision.ts";
import { tokenizeTexts } from "../src/domain/tokenization.ts";
import { prepareModel } from "../src/prepare-model.ts";
import { cosine } from "./fixture.ts";
import { REFERENCE_TEXTS, sentences } from "./reference-texts.ts";

// The CPU has no arithmetic of its own for float16: ONNX Runtime casts each node's inputs to float32 and its outputs back. So the
// weights and everything between two nodes are rounded as on CUDA; what CUDA rounds inside of a node is not seen here.
test("the fp16 graph gives the vectors of the fp32 graph", async () => {
  const config = readModelConfig(readEnvironment());
  const prepare = (precision: Precision) =>
    prepareModel(MINILM_SPEC, { config, precision, onProgress: () => undefined, logger: silentLogger() });
  const { tokenizerPath } = await prepare("fp32");
  const texts = [...REFERENCE_TEXTS.map(({ text }) => text), ...sentences(60)];
  const tokenized = await tokenizeTexts(
    await openTokenizer(tokenizerPath),
    texts,
    MINILM.architecture.maxTokens,
  );

  const vectorsIn = async (precision: Precision) => {
    const { modelPath } = await prepare(precision);
    const session = await openInferenceSession({ modelPath, provider: "cpu", intraOpThreads: 2 });
    const vectors = [];
    for (const { ids } of tokenized) {
      const batch = { ids, lengths: Int32Array.of(ids.length), rows: 1, columns: ids.length };
      vectors.push(await runBatch(session, batch));
    }
    await session.release();
    return vectors;
  };
  const [single, half] = [await vectorsIn("fp32"), await vectorsIn("fp16")];
  for (const [i, vector] of half.entries()) {
    expect(cosine(vector, single[i] as Float32Array)).toBeGreaterThanOrEqual(0.9999);
    expect(Math.hypot(...vector)).toBeCloseTo(1, 5);
  }
}, 600_000);
