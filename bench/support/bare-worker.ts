// A thread of the bare loop: a session of its own and nothing else.
import { readFileSync } from "node:fs";
import { parentPort, workerData } from "node:worker_threads";
import { InferenceSession, Tensor } from "onnxruntime-node";
import type { BareBatch } from "./bare-batches.ts";
import type { BareReply, BareWork } from "./bare-loop.ts";

const { modelPath, batches, taken, intraOpThreads } = workerData as BareWork;
const port = parentPort;
if (port === null) throw new Error("bare-worker.ts runs as a worker thread only");

/** The service's options: services/embedding/src/adapters/onnx/session.ts. */
const session = await InferenceSession.create(modelPath, {
  executionProviders: ["cpu"],
  intraOpNumThreads: intraOpThreads,
  interOpNumThreads: 1,
  executionMode: "sequential",
  graphOptimizationLevel: "all",
  enableMemPattern: false,
  logSeverityLevel: 4,
  extra: {
    optimization: { disable_specified_optimizers: "SkipLayerNormFusion" },
    session: { x64quantprecision: hasExactProducts() ? "0" : "1" },
  },
});
const [output] = session.outputNames as [string];

function hasExactProducts(): boolean {
  if (process.arch !== "x64") return true;
  if (process.platform !== "linux") return false;
  return /^flags\s*:.*\bavx(?:512)?_vnni\b/m.test(readFileSync("/proc/cpuinfo", "utf8"));
}

function feedsOf({ ids, mask, rows, columns }: BareBatch): Record<string, Tensor> {
  return {
    input_ids: new Tensor("int32", ids, [rows, columns]),
    attention_mask: new Tensor("int32", mask, [rows, columns]),
  };
}

async function run(feeds: Record<string, Tensor>): Promise<Float32Array> {
  const tensor = (await session.run(feeds, [output]))[output] as Tensor;
  try {
    return (tensor.data as Float32Array).slice();
  } finally {
    tensor.dispose();
  }
}

const prepared = batches.map(feedsOf);
const tell = (reply: BareReply) => port.postMessage(reply);

port.on("message", async (request: "run" | "vectors") => {
  const rows: [number, Float32Array][] = [];
  for (let next = Atomics.add(taken, 0, 1); next < prepared.length; next = Atomics.add(taken, 0, 1)) {
    const vectors = await run(prepared[next] as Record<string, Tensor>);
    if (request === "run") continue;
    const { texts } = batches[next] as BareBatch;
    const width = vectors.length / texts.length;
    for (const [row, text] of texts.entries()) {
      rows.push([text, vectors.slice(row * width, (row + 1) * width)]);
    }
  }
  tell({ type: "done", rows });
});
if (prepared[0] !== undefined) await run(prepared[0]);
tell({ type: "ready" });
