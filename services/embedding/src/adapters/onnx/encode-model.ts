import { create, toBinary } from "@bufbuild/protobuf";
import {
  type Attribute,
  type Constant,
  elementTypeOf,
  type ElementType,
  type Graph,
  type GraphValue,
} from "../../domain/compiler/graph.ts";
import {
  AttributeProto_AttributeType,
  AttributeProtoSchema,
  ModelProtoSchema,
  TensorProto_DataLocation,
  TensorProto_DataType,
  type AttributeProto,
} from "./gen/onnx_pb.ts";

/** IR version 10 is the first that goes with opset 21; ONNX Runtime 1.18 and later read both. */
const IR_VERSION = 10n;
const OPSETS = [
  { domain: "", version: 21n },
  { domain: "com.microsoft", version: 1n },
];

/** Constants below this many bytes stand in the model itself, the others in the file beside it. */
const INLINE_BYTES = 1024;
/** What is large starts on a page of memory (64 KiB suits every page size in use), the rest on a cache line. */
const LARGE_BYTES = 1 << 20;
const LARGE_ALIGNMENT = 65_536;
const ALIGNMENT = 64;

const DATA_TYPES: Record<ElementType, TensorProto_DataType> = {
  float32: TensorProto_DataType.FLOAT,
  float16: TensorProto_DataType.FLOAT16,
  uint8: TensorProto_DataType.UINT8,
  int8: TensorProto_DataType.INT8,
  int32: TensorProto_DataType.INT32,
  int64: TensorProto_DataType.INT64,
};

/** A stretch of the data file. Stretches are in ascending order; the gaps between them are zeros. */
export interface ExternalBlock {
  readonly offset: number;
  readonly bytes: Uint8Array<ArrayBuffer>;
}

export interface EncodedModel {
  /** The ONNX file. */
  readonly model: Uint8Array<ArrayBuffer>;
  /** Contents of the data file, which has to lie beside the model under the name given to `encodeModel`. */
  readonly blocks: readonly ExternalBlock[];
}

function encodeAttribute(name: string, value: Attribute): AttributeProto {
  if ("int" in value) {
    return create(AttributeProtoSchema, {
      name,
      type: AttributeProto_AttributeType.INT,
      i: BigInt(value.int),
    });
  }
  if ("float" in value) {
    return create(AttributeProtoSchema, { name, type: AttributeProto_AttributeType.FLOAT, f: value.float });
  }
  return create(AttributeProtoSchema, {
    name,
    type: AttributeProto_AttributeType.INTS,
    ints: value.ints.map(BigInt),
  });
}

function encodeValue(value: GraphValue) {
  return {
    name: value.name,
    type: {
      value: {
        case: "tensorType" as const,
        value: {
          elemType: DATA_TYPES[value.type],
          shape: {
            dim: value.shape.map((size) => ({
              value:
                typeof size === "number"
                  ? { case: "dimValue" as const, value: BigInt(size) }
                  : { case: "dimParam" as const, value: size },
            })),
          },
        },
      },
    },
  };
}

function bytesOf(constant: Constant): Uint8Array<ArrayBuffer> {
  return new Uint8Array(constant.data.buffer, constant.data.byteOffset, constant.data.byteLength);
}

/**
 * Writes a graph as an ONNX model whose large constants lie in a data file of the given name. The blocks are views of
 * the graph's own arrays. The host has to be little-endian, as ONNX is.
 */
export function encodeModel(
  graph: Graph,
  options: { dataFile: string; metadata: Readonly<Record<string, string>> },
): EncodedModel {
  const blocks: ExternalBlock[] = [];
  let end = 0;
  const initializer = graph.constants.map((constant) => {
    const bytes = bytesOf(constant);
    const head = {
      name: constant.name,
      dims: constant.shape.map(BigInt),
      dataType: DATA_TYPES[elementTypeOf(constant.data)],
    };
    if (bytes.length < INLINE_BYTES) return { ...head, rawData: bytes };
    const alignment = bytes.length < LARGE_BYTES ? ALIGNMENT : LARGE_ALIGNMENT;
    const offset = Math.ceil(end / alignment) * alignment;
    end = offset + bytes.length;
    blocks.push({ offset, bytes });
    return {
      ...head,
      dataLocation: TensorProto_DataLocation.EXTERNAL,
      externalData: [
        { key: "location", value: options.dataFile },
        { key: "offset", value: String(offset) },
        { key: "length", value: String(bytes.length) },
      ],
    };
  });
  const model = create(ModelProtoSchema, {
    irVersion: IR_VERSION,
    producerName: "kindred",
    opsetImport: OPSETS,
    metadataProps: Object.entries(options.metadata).map(([key, value]) => ({ key, value })),
    graph: {
      name: graph.name,
      initializer,
      input: graph.inputs.map(encodeValue),
      output: graph.outputs.map(encodeValue),
      node: graph.nodes.map((node) => ({
        name: node.name,
        domain: node.domain,
        opType: node.operator,
        input: [...node.inputs],
        output: [...node.outputs],
        attribute: Object.entries(node.attributes).map(([name, value]) => encodeAttribute(name, value)),
      })),
    },
  });
  return { model: toBinary(ModelProtoSchema, model), blocks };
}
