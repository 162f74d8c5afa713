import { KindredError } from "@kindred/errors";
import type { Codec } from "./codec.ts";
import type { FieldReader } from "./field-reader.ts";
import { rewriteAsFlat } from "./refusal.ts";

/** ScalarQuantizer::QuantizerType, by number (faiss/impl/ScalarQuantizer.h). */
const TYPES = [
  "QT_8bit",
  "QT_4bit",
  "QT_8bit_uniform",
  "QT_4bit_uniform",
  "QT_fp16",
  "QT_8bit_direct",
  "QT_6bit",
  "QT_bf16",
  "QT_8bit_direct_signed",
  "QT_0bit",
] as const;

interface ReadableType {
  bytesPerNumber: 1 | 2;
  /** Floats that training leaves behind: two a dimension, two in all, or none. */
  trained: "per-dimension" | "uniform" | "none";
  loss: string;
  decoder(trained: Float32Array, dimensions: number): Codec["decode"];
}

const ROUNDED = "numbers were rounded to 8 bits";
const SHORTENED = "numbers were rounded to 16 bits";

const READABLE: Partial<Record<string, ReadableType>> = {
  QT_8bit: { bytesPerNumber: 1, trained: "per-dimension", loss: ROUNDED, decoder: ranged },
  QT_8bit_uniform: { bytesPerNumber: 1, trained: "uniform", loss: ROUNDED, decoder: ranged },
  QT_8bit_direct: {
    bytesPerNumber: 1,
    trained: "none",
    loss: "numbers were cut to whole ones of 0 to 255",
    decoder: () => (codes) => new Float32Array(codes),
  },
  QT_8bit_direct_signed: {
    bytesPerNumber: 1,
    trained: "none",
    loss: "numbers were cut to whole ones of -128 to 127",
    decoder: () => (codes) => Float32Array.from(codes, (code) => code - 128),
  },
  QT_fp16: {
    bytesPerNumber: 2,
    trained: "none",
    loss: SHORTENED,
    decoder: () => (codes) => new Float32Array(new Float16Array(codes.buffer)),
  },
  QT_bf16: {
    bytesPerNumber: 2,
    trained: "none",
    loss: SHORTENED,
    // The upper half of a float32.
    decoder: () => (codes) =>
      new Float32Array(Uint32Array.from(new Uint16Array(codes.buffer), (half) => half << 16).buffer),
  },
};

/** Reads the description of a ScalarQuantizer for `count` vectors. @throws KindredError data-loss, unimplemented */
export async function readScalarQuantizer(
  fields: FieldReader,
  { dimensions, count }: { dimensions: number; count: number },
  inside: readonly string[],
): Promise<{ type: string; codec: Codec }> {
  const number = await fields.int32("the type of the scalar quantiser");
  await fields.int32("the statistic of its range");
  await fields.float32("the argument of its range");
  const ownDimensions = await fields.count("the dimensions of the scalar quantiser");
  const codeSize = await fields.count("the code size of the scalar quantiser");
  if (ownDimensions !== dimensions)
    throw fields.fault(`the scalar quantiser has ${ownDimensions} dimensions, the index ${dimensions}`);
  const type = TYPES[number];
  const readable = type === undefined ? undefined : READABLE[type];
  const { path } = fields.source;
  if (type === undefined || readable === undefined)
    throw new KindredError(
      "unimplemented",
      `${path} holds vectors scalar-quantised as ${type ?? `type ${number}`}; ` +
        `Kindred reads ${Object.keys(READABLE).join(", ")}. ${rewriteAsFlat({ path, inside }, { approximate: true })}`,
    );
  const bytes = dimensions * readable.bytesPerNumber;
  if (codeSize !== bytes)
    throw fields.fault(`a vector of ${type} takes ${bytes} bytes, its code size says ${codeSize}`);
  const trained = await readTrained(fields, readable, { dimensions, count });
  return {
    type,
    codec: {
      bytes,
      approximate: `${readable.loss} (${type}) when they were added to the index`,
      decode: readable.decoder(trained, dimensions),
    },
  };
}

async function readTrained(
  fields: FieldReader,
  { trained }: ReadableType,
  { dimensions, count }: { dimensions: number; count: number },
): Promise<Float32Array> {
  const length = await fields.length("what the scalar quantiser was trained to", 4);
  const expected = trained === "none" ? 0 : trained === "uniform" ? 2 : 2 * dimensions;
  const untrained = length === 0 && count === 0;
  if (length !== expected && !untrained)
    throw fields.fault(`the scalar quantiser has ${length} trained numbers, ${expected} belong to it`);
  return fields.float32s("what the scalar quantiser was trained to", length);
}

/**
 * minimum + (code + 0.5) / 255 * width, each number with its own minimum and width, or all with the same.
 * faiss/impl/scalar_quantizer: Codec8bit::decode_component, QuantizerTemplate::decode_vector. FAISS's own results differ in the last bit
 * between processors.
 */
function ranged(trained: Float32Array, dimensions: number): Codec["decode"] {
  const uniform = trained.length === 2 && dimensions !== 1;
  const shares = Float32Array.from({ length: 256 }, (_, code) => Math.fround((code + 0.5) / 255));
  return (codes) => {
    const numbers = new Float32Array(codes.length);
    for (let i = 0, column = 0; i < codes.length; i++) {
      const minimum = trained[uniform ? 0 : column] as number;
      const width = trained[uniform ? 1 : dimensions + column] as number;
      numbers[i] = minimum + (shares[codes[i] as number] as number) * width;
      if (++column === dimensions) column = 0;
    }
    return numbers;
  };
}
