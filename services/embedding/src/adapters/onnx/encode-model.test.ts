import { fromBinary } from "@bufbuild/protobuf";
import { describe, expect, test } from "@jest/globals";
import { GraphBuilder } from "../../domain/compiler/graph.ts";
import { encodeModel } from "./encode-model.ts";
import { ModelProtoSchema, TensorProto_DataLocation, TensorProto_DataType } from "./gen/onnx_pb.ts";

function encode(constants: Record<string, Float32Array<ArrayBuffer>>) {
  const graph = new GraphBuilder();
  for (const [name, data] of Object.entries(constants)) graph.constant(name, [data.length], data);
  const sum = graph.node("", "Add", "sum", ["x", ...Object.keys(constants)], {
    axis: { int: 0 },
    scale: { float: 0 },
  });
  const built = graph.build(
    "test",
    [{ name: "x", type: "int32", shape: ["batch", 3] }],
    [{ name: sum, type: "float32", shape: ["batch"] }],
  );
  const encoded = encodeModel(built, { dataFile: "weights.bin", metadata: { made: "here" } });
  return { ...encoded, decoded: fromBinary(ModelProtoSchema, encoded.model) };
}

test("the bytes are those of the ONNX standard", () => {
  const { model } = encode({});
  // ir_version (field 1) is 10; producer_name (field 2) is "kindred".
  expect([...model.subarray(0, 2)]).toEqual([0x08, 10]);
  expect(new TextDecoder().decode(model.subarray(4, 11))).toBe("kindred");
});

test("nodes, values and attributes are there, zeros included", () => {
  const { decoded } = encode({});
  const [node] = decoded.graph?.node ?? [];
  expect(node).toMatchObject({ opType: "Add", input: ["x"], output: ["sum"] });
  expect(node?.attribute.map(({ name, i, f }) => [name, i, f])).toEqual([
    ["axis", 0n, undefined],
    ["scale", undefined, 0],
  ]);
  expect(decoded.graph?.input[0]?.type?.value).toMatchObject({
    case: "tensorType",
    value: {
      elemType: TensorProto_DataType.INT32,
      shape: {
        dim: [{ value: { case: "dimParam", value: "batch" } }, { value: { case: "dimValue", value: 3n } }],
      },
    },
  });
  expect(decoded.metadataProps).toMatchObject([{ key: "made", value: "here" }]);
});

describe("constants", () => {
  test("small ones stand in the model", () => {
    const { decoded, blocks } = encode({ small: Float32Array.of(1, 2) });
    const [tensor] = decoded.graph?.initializer ?? [];
    expect(tensor?.dims).toEqual([2n]);
    expect([...new Float32Array(tensor?.rawData.slice().buffer ?? new ArrayBuffer(0))]).toEqual([1, 2]);
    expect(blocks).toEqual([]);
  });

  test("large ones lie in the data file, one after the other, the largest on pages of memory", () => {
    const [a, b, c] = [
      new Float32Array(300).fill(1),
      new Float32Array(300_000).fill(2),
      new Float32Array(300),
    ];
    const { decoded, blocks } = encode({ a, b, c });
    const places = decoded.graph?.initializer.map((tensor) => {
      expect(tensor.dataLocation).toBe(TensorProto_DataLocation.EXTERNAL);
      const { location, offset, length } = Object.fromEntries(
        tensor.externalData.map(({ key, value }) => [key, value]),
      );
      expect(location).toBe("weights.bin");
      return [Number(offset), Number(length)];
    });
    expect(places).toEqual([
      [0, 1200],
      [65_536, 1_200_000],
      [1_265_536, 1200],
    ]);
    expect(blocks.map(({ offset, bytes }) => [offset, bytes.length])).toEqual(places);
  });
});

describe("the graph builder refuses", () => {
  test("constants whose data do not fit their shape", () => {
    expect(() => new GraphBuilder().constant("a", [2, 2], new Float32Array(3))).toThrow(
      "needs 4 elements, has 3",
    );
  });
  test("two constants of one name", () => {
    const graph = new GraphBuilder();
    graph.constant("a", [], Float32Array.of(1));
    expect(() => graph.constant("a", [], Float32Array.of(1))).toThrow("defined twice");
  });
});
