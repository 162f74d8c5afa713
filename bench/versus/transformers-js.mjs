// transformers.js as its users run it: node versus/transformers-js.mjs SETUP.json      see support/contestant-process.ts
// Setup: { modelsFolder, model, threads, texts }; the model lies in modelsFolder/model as the hub has it, with onnx/model.onnx.
import { Buffer } from "node:buffer";
import { readFileSync } from "node:fs";
import { createInterface } from "node:readline";
import { env, pipeline } from "@huggingface/transformers";

const BATCH = 32;
const setup = JSON.parse(readFileSync(process.argv[2], "utf8"));
const say = (reply) => process.stdout.write(`${JSON.stringify(reply)}\n`);

env.allowRemoteModels = false;
env.localModelPath = setup.modelsFolder;
const extract = await pipeline("feature-extraction", setup.model, {
  device: "cpu",
  dtype: "fp32",
  session_options: { intraOpNumThreads: setup.threads },
});

/** In batches, in the given order. @returns each batch's vectors, row after row, and their width. */
async function embed(texts) {
  const batches = [];
  for (let start = 0; start < texts.length; start += BATCH) {
    const { data, dims } = await extract(texts.slice(start, start + BATCH), {
      pooling: "mean",
      normalize: true,
    });
    batches.push({ data, width: dims[1] });
  }
  return batches;
}

/** Longest first, which leaves less padding, and back into the order of the texts. @returns a vector a text. */
async function embedSorted(texts) {
  const order = [...texts.keys()].toSorted((a, b) => texts[b].length - texts[a].length);
  const batches = await embed(order.map((i) => texts[i]));
  const vectors = Array.from({ length: texts.length });
  for (const [rank, i] of order.entries()) {
    const { data, width } = batches[Math.floor(rank / BATCH)];
    const row = rank % BATCH;
    vectors[i] = data.subarray(row * width, (row + 1) * width);
  }
  return vectors;
}

const variants = { plain: embed, sorted: embedSorted };
say({ ready: { "transformers.js": env.version, batch: BATCH, threads: setup.threads } });
for await (const line of createInterface({ input: process.stdin })) {
  const request = JSON.parse(line);
  if (request.vectors === undefined) {
    const startedAt = performance.now();
    await variants[request.run](setup.texts);
    say({ seconds: (performance.now() - startedAt) / 1000 });
  } else {
    const rows = await embedSorted(setup.texts.slice(0, request.vectors));
    const packed = Buffer.concat(rows.map((row) => Buffer.from(row.buffer, row.byteOffset, row.byteLength)));
    say({ vectors: packed.toString("base64"), dimensions: rows[0].length });
  }
}
