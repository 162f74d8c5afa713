import type { ModelArchitecture } from "../model.ts";
import type { GraphBuilder } from "./graph.ts";

/** ONNX's numbers for the types. */
const FLOAT = 1;
const BOOL = 9;

/** torch.nn.functional.normalize divides by no less. */
const LEAST_LENGTH = 1e-12;

export interface PoolingOptions {
  /** Vectors of the tokens, [batch, tokens, hidden]. */
  readonly hidden: string;
  /** int32 [batch, tokens], 0 for padding. */
  readonly mask: string;
  /** Whether they are float16: then they are float32 from here on, for a sum of 512 of them loses what float16 has of digits. */
  readonly half: boolean;
  /** Name of the result, float32 [batch, hidden]. */
  readonly output: string;
}

/** One vector a text out of those of its tokens, scaled to length 1 where the model says so. */
export function poolAndScale(graph: GraphBuilder, model: ModelArchitecture, options: PoolingOptions): void {
  const { mask, half, output } = options;
  const { normalize, pooling } = model;
  const named = (name: string) => (normalize ? name : output);
  const float = (name: string, value: string) =>
    half ? graph.node("", "Cast", name, [value], { to: { int: FLOAT } }) : value;

  if (pooling === "cls") {
    const first = graph.constant("first_token", [], BigInt64Array.of(0n));
    const gather = (name: string) =>
      graph.node("", "Gather", name, [options.hidden, first], { axis: { int: 1 } });
    scale(
      graph,
      half ? float(named("pooled"), gather("first")) : gather(named("pooled")),
      options,
      normalize,
    );
    return;
  }

  const axis = graph.constant("token_axis", [1], BigInt64Array.of(1n));
  const hidden = float("hidden.float", options.hidden);
  if (pooling === "max") {
    const channelAxis = graph.constant("channel_axis", [1], BigInt64Array.of(2n));
    const lowest = graph.constant("lowest", [], Float32Array.of(-Infinity));
    const isToken = graph.node("", "Cast", "mask.bool", [mask], { to: { int: BOOL } });
    const column = graph.node("", "Unsqueeze", "mask.column", [isToken, channelAxis]);
    const masked = graph.node("", "Where", "hidden.masked", [column, hidden, lowest]);
    const pooled = graph.node("", "ReduceMax", named("pooled"), [masked, axis], { keepdims: { int: 0 } });
    scale(graph, pooled, options, normalize);
    return;
  }

  const weights = graph.node("", "Cast", "mask.float", [mask], { to: { int: FLOAT } });
  const row = graph.node("", "Unsqueeze", "mask.row", [weights, axis]);
  const sum = graph.node("", "MatMul", "pooled.row", [row, hidden]);
  const total = graph.node("", "Squeeze", "pooled", [sum, axis]);
  // The mean's division falls out of the scaling.
  if (normalize) {
    scale(graph, total, options, normalize);
    return;
  }
  const count = graph.node("", "ReduceSum", "token_count", [weights, axis], { keepdims: { int: 1 } });
  graph.node("", "Div", output, [total, count]);
}

function scale(graph: GraphBuilder, pooled: string, options: PoolingOptions, normalize: boolean): void {
  if (!normalize) return;
  if (!options.half) {
    graph.node("", "LpNormalization", options.output, [pooled], { axis: { int: -1 }, p: { int: 2 } });
    return;
  }
  // CUDA has no LpNormalization: it would run on the CPU, with a copy before it.
  const axis = graph.constant("component_axis", [1], BigInt64Array.of(-1n));
  const least = graph.constant("least_length", [], Float32Array.of(LEAST_LENGTH));
  const length = graph.node("", "ReduceL2", "length", [pooled, axis], { keepdims: { int: 1 } });
  const divisor = graph.node("", "Max", "length.positive", [length, least]);
  graph.node("", "Div", options.output, [pooled, divisor]);
}
