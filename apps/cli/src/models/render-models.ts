import { timestampDate } from "@bufbuild/protobuf/wkt";
import { ModelState, Precision, type InfoResponse, type Model } from "@kindred/contracts/embedding/v1";
import { formatAgo, formatBytes, formatCount } from "../terminal/format.ts";
import { renderPairs, renderTableOrBlocks, type Column, type Pair } from "../terminal/table.ts";
import type { Terminal } from "../terminal/terminal.ts";

/** Where there is nothing to say. */
const NONE = "-";

const STATES: Record<ModelState, string> = {
  [ModelState.UNSPECIFIED]: "unknown",
  [ModelState.UNLOADED]: "not loaded",
  [ModelState.LOADING]: "loading",
  [ModelState.READY]: "ready",
  [ModelState.FAILED]: "failed",
};

const PRECISIONS: Record<Precision, string> = {
  [Precision.UNSPECIFIED]: NONE,
  [Precision.FP32]: "fp32",
  [Precision.INT8]: "int8",
  [Precision.FP16]: "fp16",
};

const COLUMNS: readonly Column[] = [
  { title: "name" },
  { title: "aliases", shrinks: true },
  { title: "provider" },
  { title: "dimensions", align: "right" },
  { title: "precision" },
  { title: "state" },
  { title: "memory", align: "right" },
  { title: "disk", align: "right" },
  { title: "requests", align: "right" },
  { title: "last used", align: "right" },
];

/**
 * A table, or a block for each model where the terminal is too narrow for it; below it what there is to say about single models: why one
 * failed, how far loading is.
 */
export function renderModels(
  terminal: Pick<Terminal, "colors" | "width">,
  models: readonly Model[],
  now: Date,
): string {
  const { colors } = terminal;
  const rows = models.map((model) => [
    model.isDefault ? `${model.name} (default)` : model.name,
    model.aliases.join(", ") || NONE,
    model.provider,
    model.space ? formatCount(model.space.dimensions) : NONE,
    precisionOf(model.precision),
    stateOf(model.state),
    sizeOf(model.memoryBytes),
    sizeOf(model.cacheBytes),
    formatCount(model.requestCount),
    model.lastUsed ? formatAgo(timestampDate(model.lastUsed), now) : NONE,
  ]);
  const details = models
    .filter((model) => model.detail !== "")
    .map((model) => {
      const paint = model.state === ModelState.FAILED ? colors.red : colors.dim;
      return renderPairs(terminal, [[model.name, `${stateOf(model.state)}: ${model.detail}`, paint]]);
    });
  return [renderTableOrBlocks(terminal, COLUMNS, rows), ...details].join("\n");
}

/** One model after it was pulled: where what lies. */
export function renderPulled(terminal: Pick<Terminal, "colors" | "width">, model: Model): string {
  const where: Pair[] =
    model.cachePath === ""
      ? [["compiled form", "none: the provider has the model"]]
      : [
          ["compiled form", model.cachePath],
          ["size on disk", formatBytes(model.cacheBytes)],
        ];
  return renderPairs(terminal, [
    ["model", model.name],
    ["provider", model.provider],
    ["state", stateOf(model.state)],
    ...(model.space ? [["space", model.space.id] as const] : []),
    ...where,
  ]);
}

/** Everything that Info says. */
export function renderInfo(terminal: Pick<Terminal, "colors" | "width">, info: InfoResponse): string {
  const { space, limits } = info;
  const isRemote = info.effectiveExecutionProvider === "remote";
  const pairs: Pair[] = [
    ["model", info.model],
    ...(info.aliases.length > 0 ? [["aliases", info.aliases.join(", ")] as const] : []),
    ["space", space?.id ?? NONE],
    ["published as", space ? `${space.model}, revision ${space.revision}` : NONE],
    ["dimensions", space ? formatCount(space.dimensions) : NONE],
    ["pooling", space ? `${space.pooling}, normalisation ${space.normalization}` : NONE],
    [
      "longest text",
      space && space.maxTokens > 0 ? `${formatCount(space.maxTokens)} tokens, then it is cut` : NONE,
    ],
    ...executionOf(terminal, info, isRemote),
    ["files from", info.modelSource || NONE],
    ...(info.weightsSha256 === "" ? [] : [["weights", `SHA-256 ${info.weightsSha256}`] as const]),
  ];
  if (limits) {
    pairs.push([
      "one request",
      `${formatCount(limits.maxTexts)} texts of ${formatBytes(limits.maxTextBytes)} at most`,
    ]);
    if (limits.maxBatchTokens > 0)
      pairs.push(["one batch", `${formatCount(limits.maxBatchTokens)} tokens at most, padding included`]);
    if (limits.maxQueueTokens > 0)
      pairs.push(["queue", `${formatCount(limits.maxQueueTokens)} tokens at most, then calls are refused`]);
    if (limits.maxConcurrentRequests > 0)
      pairs.push([
        "calls at once",
        `${formatCount(limits.maxConcurrentRequests)} at most, then they are refused`,
      ]);
  }
  return renderPairs(terminal, pairs);
}

function executionOf({ colors }: Pick<Terminal, "colors">, info: InfoResponse, isRemote: boolean): Pair[] {
  if (isRemote) return [["runs on", `the provider ${info.space?.provider ?? ""}`.trimEnd()]];
  const { requestedExecutionProvider: asked, effectiveExecutionProvider: got } = info;
  const reason = info.executionProviderReason;
  return [
    reason === ""
      ? ["runs on", `${got} (asked for: ${asked})`]
      : ["runs on", `${got} (asked for: ${asked}; ${reason})`, colors.yellow],
    ["precision", precisionOf(info.precision)],
    ["workers", `${formatCount(info.workers)}, with ${threads(info.threadsPerWorker)} each`],
  ];
}

function threads(count: number): string {
  return count === 1 ? "1 thread" : `${formatCount(count)} threads`;
}

/** A number that a later version of the contract may have added is shown as it is. */
function stateOf(state: ModelState): string {
  return STATES[state] ?? String(state);
}

function precisionOf(precision: Precision): string {
  return PRECISIONS[precision] ?? String(precision);
}

function sizeOf(bytes: bigint): string {
  return bytes === 0n ? NONE : formatBytes(bytes);
}
