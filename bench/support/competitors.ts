import { existsSync } from "node:fs";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { messageOf } from "@kindred/errors";
import { startContestant, type ContestantProcess } from "./contestant-process.ts";
import { writeModelFolder } from "./model-folder.ts";

const VERSUS = fileURLToPath(new URL("../versus/", import.meta.url));
const MODEL = "all-MiniLM-L6-v2";
export const INSTALL_VERSUS = "npm install --prefix bench/versus";

/** A competitor, or why it does not take part. */
export type Competitor = { readonly process: ContestantProcess } | { readonly skipped: string };

export interface CompetitorOptions {
  /** Empty folder for the model's files. */
  readonly folder: string;
  readonly weightsSha256: string;
  readonly texts: readonly string[];
  /** Cores that each may use: those that the service uses. */
  readonly threads: number;
  /** A Python with bench/versus/requirements.txt; undefined when there is none. */
  readonly python: string | undefined;
}

export interface Competitors extends AsyncDisposable {
  readonly sentenceTransformers: Competitor;
  readonly transformersJs: Competitor;
}

/** Starts what can be started; what cannot says why. */
export async function startCompetitors(options: CompetitorOptions): Promise<Competitors> {
  const { folder, texts, threads, python } = options;
  const modelFolder = join(folder, MODEL);
  const graph = join(modelFolder, "onnx", "model.onnx");
  await using starting = new AsyncDisposableStack();
  if (python !== undefined || isInstalled()) await writeModelFolder(modelFolder, options.weightsSha256);

  const start = async (name: string, command: string, script: string, setup: object): Promise<Competitor> => {
    const path = join(folder, `${name}.json`);
    await writeFile(path, JSON.stringify({ texts, threads, ...setup }));
    try {
      return { process: starting.use(await startContestant(command, [join(VERSUS, script), path])) };
    } catch (error) {
      return { skipped: messageOf(error) };
    }
  };
  const sentenceTransformers: Competitor =
    python === undefined
      ? { skipped: "--python PATH names no Python that has bench/versus/requirements.txt" }
      : await start("sentence-transformers", python, "sentence-transformers.py", {
          model: modelFolder,
          exportTo: isInstalled() ? graph : undefined,
        });
  const obstacle = !isInstalled()
    ? INSTALL_VERSUS
    : existsSync(graph)
      ? undefined
      : `its graph is exported by that Python: ${whyNotExported(sentenceTransformers)}`;
  const transformersJs: Competitor =
    obstacle === undefined
      ? await start("transformers-js", process.execPath, "transformers-js.mjs", {
          modelsFolder: folder,
          model: MODEL,
        })
      : { skipped: obstacle };
  const running = starting.move();
  return { sentenceTransformers, transformersJs, [Symbol.asyncDispose]: () => running.disposeAsync() };
}

export function isInstalled(): boolean {
  return existsSync(join(VERSUS, "node_modules"));
}

function whyNotExported(python: Competitor): string {
  return "skipped" in python ? python.skipped : String(python.process.facts["exportFailure"]);
}
