// Development task: chooses how the 8-bit model scales its activations, from texts on standard input (one a line), and prints
// src/domain/compiler/minilm-calibration.ts. The committed one was made from 400 COCO captions and 12 runs of twenty captions each:
//   node src/calibrate.ts < captions.txt > src/domain/compiler/minilm-calibration.ts
import { text } from "node:stream/consumers";
import { readEnvironment } from "@kindred/config";
import { createLogger } from "@kindred/telemetry";
import { openByteSource } from "./adapters/files.ts";
import { observeRanges } from "./adapters/onnx/calibration-run.ts";
import { openTokenizer } from "./adapters/tokenizer/huggingface.ts";
import { readModelConfig } from "./config.ts";
import { readBertWeights } from "./domain/compiler/bert.ts";
import { calibrate } from "./domain/compiler/calibration.ts";
import { MINILM, MINILM_SPEC } from "./domain/model.ts";
import { tokenizeTexts } from "./domain/tokenization.ts";
import { obtainModelFiles } from "./prepare-model.ts";

const config = readModelConfig(readEnvironment());
const logger = createLogger({ component: "calibrate", level: "warn" });
const files = await obtainModelFiles(MINILM_SPEC, { config, onProgress: () => undefined, logger });
await using weightsFile = await openByteSource(files.weightsPaths[0] as string);
const weights = await readBertWeights([weightsFile], MINILM.architecture);
const texts = (await text(process.stdin)).split("\n").filter((line) => line !== "");
const tokenized = await tokenizeTexts(
  await openTokenizer(files.tokenizerPath),
  texts,
  MINILM.architecture.maxTokens,
);

const batches = tokenized.map(({ ids }) => ({
  ids,
  lengths: Int32Array.of(ids.length),
  rows: 1,
  columns: ids.length,
}));
const calibration = calibrate(weights, await observeRanges(weights, MINILM.architecture, batches));

const sites = [...calibration].map(([site, { low, high, smoothing, tokenScale = "" }]) => {
  const packed = smoothing === undefined ? "" : Buffer.from(smoothing.buffer).toString("base64");
  return `  "${site}": [${low.toPrecision(6)}, ${high.toPrecision(6)}, "${packed}", "${tokenScale}"],\n`;
});
process.stdout.write(`// Printed by src/calibrate.ts; do not edit.
import { decodeCalibration } from "./calibration.ts";

/** For the weights whose SHA-256 is ${MINILM.weights.sha256}. */
export const MINILM_CALIBRATION = decodeCalibration({
${sites.join("")}});
`);
