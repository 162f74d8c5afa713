import type { Activation } from "../model.ts";
import type { Arithmetic } from "./arithmetic.ts";
import type { GraphBuilder } from "./graph.ts";

/** activation(x + bias) */
export function activate(
  graph: GraphBuilder,
  { constant }: Pick<Arithmetic, "constant">,
  name: string,
  options: { readonly x: string; readonly bias: Float32Array<ArrayBuffer>; readonly activation: Activation },
): string {
  const { x, activation } = options;
  // Named after the product whose bias it is: "0.activated" has "0.intermediate.bias".
  const bias = constant(name.replace("activated", "intermediate.bias"), [options.bias.length], options.bias);
  switch (activation) {
    case "gelu":
      return graph.node("com.microsoft", "BiasGelu", name, [x, bias]);
    case "gelu_tanh":
      return graph.node("com.microsoft", "FastGelu", name, [x, bias]);
    case "relu":
      return graph.node("", "Relu", name, [graph.node("", "Add", `${name}.biased`, [x, bias])]);
  }
}
