import type { MessageInitShape } from "@bufbuild/protobuf";
import type {
  IndexSpec,
  IndexSpecSchema,
  PlanIndexRequestSchema,
  StartIndexBuildRequestSchema,
} from "@kindred/contracts/vector-store/v1";
import { Option, type Command } from "commander";
import {
  addIndexParameterOptions,
  INDEX_KINDS,
  nameOf,
  QUANTIZATIONS,
} from "../collections/collection-options.ts";
import { integerOption, numberOption } from "../commands/parse.ts";
import type { WaitOptions } from "../operations/follow-operation.ts";
import { METRICS } from "../vectors/search-request.ts";

/** The index that is wished for; the store chooses what is not named. */
export interface SpecOptions {
  kind?: "auto" | "hnsw" | "ivfflat" | "diskann";
  quantization?: keyof typeof QUANTIZATIONS;
  metric?: keyof typeof METRICS;
  m?: number;
  efConstruction?: number;
  lists?: number;
  numNeighbors?: number;
  searchListSize?: number;
}

export interface PlanOptions extends SpecOptions {
  rows?: number;
  recallTarget?: number;
  calibrate?: boolean;
}

export interface BuildOptions extends SpecOptions, WaitOptions {
  name?: string;
  keepOnMiss?: boolean;
  keepOthers?: boolean;
}

export const SPEC_HELP = `
What is not named, the store chooses. Kinds: hnsw (fast, large, slow to build), ivfflat (small, quick to build, searches take longer),
diskann (large collections; where the extension vectorscale is installed). Quantization: halfvec halves the index, binary keeps one bit
a number and compares candidates again by their whole vectors.`;

export function addSpecOptions(command: Command): Command {
  return addIndexParameterOptions(
    command
      .addOption(new Option("--kind <kind>", "kind of index").choices(["auto", "hnsw", "ivfflat", "diskann"]))
      .addOption(
        new Option("--quantization <how>", "what it holds of a vector: none is all of it").choices(
          Object.keys(QUANTIZATIONS),
        ),
      )
      .addOption(
        new Option("--metric <name>", "distance that it serves (default: the collection's)").choices(
          Object.keys(METRICS),
        ),
      ),
  )
    .option("--num-neighbors <count>", "DiskANN: links a row, 10 to 1000", integerOption(10, 1_000))
    .option(
      "--search-list-size <count>",
      "DiskANN: candidates while building, 10 to 1000",
      integerOption(10, 1_000),
    );
}

export function addPlanOptions(command: Command): Command {
  return addSpecOptions(command)
    .option(
      "--rows <count>",
      "plan for so many rows (default: as many as there are)",
      integerOption(1, Number.MAX_SAFE_INTEGER),
    )
    .option(
      "--recall-target <share>",
      "recall@10 that it is for (default: the collection's)",
      numberOption(0, 1),
    )
    .option("--calibrate", "build an index of a sample first, to foretell the time better: takes seconds");
}

function specOf({
  kind,
  quantization,
  metric,
  ...numbers
}: SpecOptions): MessageInitShape<typeof IndexSpecSchema> {
  const { m, efConstruction, lists, numNeighbors, searchListSize } = numbers;
  return {
    ...(kind && { kind: INDEX_KINDS[kind] }),
    ...(quantization && { quantization: QUANTIZATIONS[quantization] }),
    ...(metric && { metric: METRICS[metric] }),
    m: m ?? 0,
    efConstruction: efConstruction ?? 0,
    lists: lists ?? 0,
    numNeighbors: numNeighbors ?? 0,
    searchListSize: searchListSize ?? 0,
  };
}

export function planRequest(
  collection: string,
  options: PlanOptions,
): MessageInitShape<typeof PlanIndexRequestSchema> {
  const { rows, recallTarget, calibrate } = options;
  return {
    collection,
    spec: specOf(options),
    rows: BigInt(rows ?? 0),
    ...(recallTarget !== undefined && { recallTarget }),
    calibrate: calibrate ?? false,
  };
}

export function buildRequest(
  collection: string,
  options: BuildOptions,
): MessageInitShape<typeof StartIndexBuildRequestSchema> {
  return {
    collection,
    spec: { ...specOf(options), indexName: options.name ?? "" },
    keepOnMiss: options.keepOnMiss ?? false,
    keepOthers: options.keepOthers ?? false,
    requestId: options.requestId ?? "",
  };
}

/** The kind, and what it holds of vectors where that is not all of them: "hnsw halfvec". */
export function kindText({ kind, quantization }: Pick<IndexSpec, "kind" | "quantization">): string {
  const held = nameOf(QUANTIZATIONS, quantization);
  return [nameOf(INDEX_KINDS, kind), held === "none" || held === "auto" ? "" : held]
    .filter((part) => part !== "")
    .join(" ");
}

/** "m=16 ef_construction=200" */
export function parametersText(spec: Omit<IndexSpec, "$typeName">): string {
  const { m, efConstruction, lists, numNeighbors, searchListSize } = spec;
  return Object.entries({
    m,
    ef_construction: efConstruction,
    lists,
    num_neighbors: numNeighbors,
    search_list_size: searchListSize,
  })
    .filter(([, value]) => value !== 0)
    .map(([name, value]) => `${name}=${value}`)
    .join(" ");
}

/** The command that builds exactly this index. */
export function createCommand(collection: string, spec: Omit<IndexSpec, "$typeName">): string {
  const kind = nameOf(INDEX_KINDS, spec.kind);
  const quantization = nameOf(QUANTIZATIONS, spec.quantization);
  const metric = nameOf(METRICS, spec.metric);
  const flags = [
    kind === "" || kind === "auto" ? "" : `--kind ${kind}`,
    quantization === "" || quantization === "auto" ? "" : `--quantization ${quantization}`,
    metric === "" ? "" : `--metric ${metric}`,
    ...parametersText(spec)
      .split(" ")
      .filter((part) => part !== "")
      .map((part) => `--${part.replaceAll("_", "-").replace("=", " ")}`),
  ];
  return ["kindred index create", collection, ...flags].filter((part) => part !== "").join(" ");
}
