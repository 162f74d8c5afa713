/** A computation graph as the compiler builds it, free of any file format. */

export type ElementType = "float32" | "float16" | "uint8" | "int8" | "int32" | "int64";

export type ConstantData =
  | Float32Array<ArrayBuffer>
  | Float16Array<ArrayBuffer>
  | Uint8Array<ArrayBuffer>
  | Int8Array<ArrayBuffer>
  | Int32Array<ArrayBuffer>
  | BigInt64Array<ArrayBuffer>;

/** A tensor whose value is part of the model. Row-major; an empty shape is a scalar. */
export interface Constant {
  readonly name: string;
  readonly shape: readonly number[];
  readonly data: ConstantData;
}

/** Attribute values say their type, because 1 may be meant as an integer or as a float. */
export type Attribute =
  { readonly int: number } | { readonly float: number } | { readonly ints: readonly number[] };

/** Who defines an operator: the ONNX standard, or ONNX Runtime's fused operators. */
export type OperatorDomain = "" | "com.microsoft";

export interface Node {
  readonly name: string;
  readonly domain: OperatorDomain;
  readonly operator: string;
  /** Names of values; "" stands for an optional input that is not given. */
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
  readonly attributes: Readonly<Record<string, Attribute>>;
}

/** What goes in or comes out. A dimension is a size, or a name where it is known only at run time. */
export interface GraphValue {
  readonly name: string;
  readonly type: ElementType;
  readonly shape: readonly (number | string)[];
}

export interface Graph {
  readonly name: string;
  readonly inputs: readonly GraphValue[];
  readonly outputs: readonly GraphValue[];
  /** In an order in which they can run. */
  readonly nodes: readonly Node[];
  readonly constants: readonly Constant[];
}

/** The element type that a typed array holds. */
export function elementTypeOf(data: ConstantData): ElementType {
  if (data instanceof Float32Array) return "float32";
  if (data instanceof Float16Array) return "float16";
  if (data instanceof Uint8Array) return "uint8";
  if (data instanceof Int8Array) return "int8";
  if (data instanceof Int32Array) return "int32";
  return "int64";
}

/** Collects nodes and constants; values are known by their names. */
export class GraphBuilder {
  readonly #nodes: Node[] = [];
  readonly #constants = new Map<string, Constant>();

  /** @returns the constant's name, to use as an input. */
  constant(name: string, shape: readonly number[], data: ConstantData): string {
    const size = shape.reduce((product, dimension) => product * dimension, 1);
    if (size !== data.length) {
      throw new RangeError(
        `constant ${name} [${shape.join(", ")}] needs ${size} elements, has ${data.length}`,
      );
    }
    if (this.#constants.has(name)) throw new RangeError(`constant ${name} is defined twice`);
    this.#constants.set(name, { name, shape, data });
    return name;
  }

  /** Adds a node with one output. @returns the output's name: the node's own. */
  node(
    domain: OperatorDomain,
    operator: string,
    name: string,
    inputs: readonly string[],
    attributes: Readonly<Record<string, Attribute>> = {},
  ): string {
    this.#nodes.push({ name, domain, operator, inputs, outputs: [name], attributes });
    return name;
  }

  /** Adds a node whose outputs have names of their own. */
  nodeWithOutputs(node: Node): void {
    this.#nodes.push(node);
  }

  build(name: string, inputs: readonly GraphValue[], outputs: readonly GraphValue[]): Graph {
    return { name, inputs, outputs, nodes: this.#nodes, constants: [...this.#constants.values()] };
  }
}
