import { createHash } from "node:crypto";
import { open, mkdir, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { messageOf } from "@kindred/errors";
import { readBertWeights, type BertWeights } from "../../domain/compiler/bert.ts";
import { buildBertGraph } from "../../domain/compiler/bert-graph.ts";
import type { Calibration } from "../../domain/compiler/calibration.ts";
import type { Graph } from "../../domain/compiler/graph.ts";
import type { ModelDescription } from "../../domain/model.ts";
import type { Precision } from "../../domain/precision.ts";
import {
  fileSize,
  isMissing,
  openByteSource,
  publish,
  removeAbandoned,
  sha256OfFile,
  temporaryName,
} from "../files.ts";
import { encodeModel } from "./encode-model.ts";

export const MODEL_FILE = "model.onnx";
const DATA_FILE = "model.onnx.data";
/** Written last: sizes and hashes of the other two. */
const MANIFEST_FILE = "manifest.json";

/** Sources whose change changes the compiled model. */
const COMPILER_SOURCES = ["../../domain/compiler", "./encode-model.ts", "./calibration-run.ts"].map((path) =>
  fileURLToPath(new URL(path, import.meta.url)),
);

/** SHA-256 over the compiler's own sources, so that no cached model outlives the code that made it. */
async function compilerHash(): Promise<string> {
  const hash = createHash("sha256");
  for (const path of COMPILER_SOURCES) {
    const names = path.endsWith(".ts")
      ? [path]
      : (await readdir(path))
          .filter((name) => name.endsWith(".ts") && !name.endsWith(".test.ts"))
          .toSorted()
          .map((name) => join(path, name));
    for (const name of names) hash.update(await readFile(name));
  }
  return hash.digest("hex");
}

/** Writes a graph into a folder as an ONNX model and its data file, flushed to the disk. */
export async function writeModel(
  folder: string,
  graph: Graph,
  metadata: Readonly<Record<string, string>>,
): Promise<void> {
  const { model, blocks } = encodeModel(graph, { dataFile: DATA_FILE, metadata });
  const data = await open(join(folder, DATA_FILE), "w");
  try {
    for (const { offset, bytes } of blocks) {
      let done = 0;
      while (done < bytes.length) {
        const { bytesWritten } = await data.write(bytes, done, bytes.length - done, offset + done);
        done += bytesWritten;
      }
    }
    await data.sync();
  } finally {
    await data.close();
  }
  await writeFile(join(folder, MODEL_FILE), model, { flush: true });
}

type Manifest = Record<string, { bytes: number; sha256: string }>;

async function describeFiles(folder: string): Promise<Manifest> {
  const manifest: Manifest = {};
  for (const name of [MODEL_FILE, DATA_FILE]) {
    const path = join(folder, name);
    manifest[name] = { bytes: (await fileSize(path)) ?? 0, sha256: await sha256OfFile(path) };
  }
  return manifest;
}

async function isIntact(folder: string): Promise<boolean> {
  try {
    const manifest = JSON.parse(await readFile(join(folder, MANIFEST_FILE), "utf8")) as Manifest;
    const found = await describeFiles(folder);
    return [MODEL_FILE, DATA_FILE].every(
      (name) =>
        found[name]?.bytes === manifest[name]?.bytes && found[name]?.sha256 === manifest[name]?.sha256,
    );
  } catch (error) {
    if (isMissing(error) || error instanceof SyntaxError) return false;
    throw error;
  }
}

/** Puts a finished folder in place. When another process was faster, its folder stays: it has the same contents. */
async function publishFolder(temporary: string, folder: string): Promise<void> {
  try {
    await publish(temporary, folder);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if ((code !== "ENOTEMPTY" && code !== "EEXIST" && code !== "EPERM") || !(await isIntact(folder))) {
      throw error;
    }
  }
}

export interface CompileOptions {
  readonly model: ModelDescription;
  readonly precision: Precision;
  /** Verified weights, safetensors; several where they are split. */
  readonly weightsPaths: readonly string[];
  /** Compiled models are kept in its folder `compiled`. */
  readonly cacheDir: string;
  /** Gives the ranges for 8-bit products; asked only when a model is compiled to int8. */
  readonly calibration: (weights: BertWeights) => Promise<Calibration>;
  readonly onProgress?: (done: number, total: number) => void;
}

export interface CompiledModel {
  /** The ONNX file. Its data file lies beside it. */
  readonly modelPath: string;
  /** Size of both. */
  readonly modelBytes: number;
}

/** Changes with everything that the compiled model is made of. */
async function cacheKey({ model, precision }: CompileOptions): Promise<string> {
  const parts = [model.weights.sha256, await compilerHash(), precision, JSON.stringify(model.architecture)];
  // Calibration runs the model on texts.
  if (precision === "int8") parts.push(model.tokenizer.sha256);
  return createHash("sha256").update(parts.join("\0")).digest("hex");
}

async function describe(folder: string): Promise<CompiledModel> {
  const sizes = await Promise.all([MODEL_FILE, DATA_FILE].map((name) => fileSize(join(folder, name))));
  const modelBytes = sizes.reduce<number>((sum, size = 0) => sum + size, 0);
  return { modelPath: join(folder, MODEL_FILE), modelBytes };
}

/** Reads the weights, telling how far it is in the bytes of all files. */
async function readWeights(
  { model, weightsPaths, onProgress }: CompileOptions,
  total: number,
): Promise<BertWeights> {
  await using files = new AsyncDisposableStack();
  let before = 0;
  const sources = [];
  for (const path of weightsPaths) {
    const file = files.use(await openByteSource(path));
    const start = before;
    before += file.size;
    sources.push({
      size: file.size,
      read: (offset: number, length: number) => {
        onProgress?.(Math.min(start + offset, total), total);
        return file.read(offset, length);
      },
    });
  }
  return await readBertWeights(sources, model.architecture);
}

/**
 * Compiles the model, or finds it compiled: the cache knows it by the hashes of its weights, of the compiler and of what it is to be.
 * A damaged cache entry is replaced. Safe with several processes at once.
 */
export async function compileModel(options: CompileOptions): Promise<CompiledModel> {
  const { model, precision, cacheDir, onProgress } = options;
  const key = await cacheKey(options);
  const name = `${model.name.replaceAll("/", "--")}-${precision}-${key.slice(0, 16)}`;
  const folder = join(cacheDir, "compiled", name);
  const total = model.weights.bytes;
  if (await isIntact(folder)) {
    onProgress?.(total, total);
    return describe(folder);
  }

  onProgress?.(0, total);
  await mkdir(dirname(folder), { recursive: true });
  await removeAbandoned(dirname(folder), (entry) => entry.includes(".tmp-"));
  const temporary = temporaryName(folder);
  try {
    await mkdir(temporary);
    const weights = await readWeights(options, total);
    const { graph } = buildBertGraph(weights, model.architecture, {
      precision,
      calibration: precision === "int8" ? await options.calibration(weights) : undefined,
    });
    await writeModel(temporary, graph, {
      model: model.name,
      weights_sha256: model.weights.sha256,
      precision,
    });
    const manifest = JSON.stringify(await describeFiles(temporary), undefined, 2);
    await writeFile(join(temporary, MANIFEST_FILE), manifest, { flush: true });
    // Only a damaged entry can be here: an intact one has been returned above, or is kept by publishFolder.
    if (!(await isIntact(folder))) await rm(folder, { recursive: true, force: true });
    await publishFolder(temporary, folder);
  } catch (error) {
    if (isNoSpace(error)) {
      throw new Error(`no space left for the compiled model in ${folder}: ${messageOf(error)}`, {
        cause: error,
      });
    }
    throw error;
  } finally {
    await rm(temporary, { recursive: true, force: true });
  }
  onProgress?.(total, total);
  return describe(folder);
}

function isNoSpace(error: unknown): boolean {
  return (error as NodeJS.ErrnoException).code === "ENOSPC";
}
