/** What a test's index holds. */
export interface TestIndex {
  dimensions: number;
  /** One a row. */
  vectors: readonly (readonly number[])[];
  /** Makes it an IndexIDMap; an IndexFlat otherwise. */
  ids?: readonly number[];
  /** Inner product unless given. */
  metric?: "inner-product" | "l2";
}

/** An index file as FAISS's write_index writes it (faiss/impl/index_write.cpp). */
export function faissIndexFile(index: TestIndex): Buffer {
  const { dimensions, vectors, ids, metric = "inner-product" } = index;
  const floats = Float32Array.from(vectors.flat());
  const flat = Buffer.concat([
    header(metric === "l2" ? "IxF2" : "IxFI", index),
    uint64(floats.length),
    new Uint8Array(floats.buffer),
  ]);
  if (floats.length !== dimensions * vectors.length) throw new Error("a vector has other dimensions");
  if (!ids) return flat;
  const idBytes = new Uint8Array(BigInt64Array.from(ids, BigInt).buffer);
  return Buffer.concat([header("IxMp", index), flat, uint64(ids.length), idBytes]);
}

function header(fourCc: string, { dimensions, vectors, metric }: TestIndex): Buffer {
  const bytes = Buffer.alloc(37);
  bytes.write(fourCc, 0, "latin1");
  bytes.writeInt32LE(dimensions, 4);
  bytes.writeBigInt64LE(BigInt(vectors.length), 8);
  // Two numbers that FAISS no longer reads.
  bytes.writeBigInt64LE(2n ** 20n, 16);
  bytes.writeBigInt64LE(2n ** 20n, 24);
  // Trained.
  bytes.writeUInt8(1, 32);
  bytes.writeInt32LE(metric === "l2" ? 1 : 0, 33);
  return bytes;
}

function uint64(value: number): Buffer {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64LE(BigInt(value));
  return bytes;
}

/** What `pickleFile` writes: objects become dicts with texts as keys, Maps dicts with any keys. */
export type Picklable =
  | null
  | boolean
  | number
  | string
  | readonly Picklable[]
  | ReadonlyMap<Picklable, Picklable>
  | { readonly [name: string]: Picklable };

/** A pickle of protocol 2, as Python would read it; numbers that are integers of 32 bits become ints, others floats. */
export function pickleFile(value: Picklable): Buffer {
  return Buffer.concat([Buffer.from([0x80, 2]), ...parts(value), Buffer.from(".")]);
}

function parts(value: Picklable): Buffer[] {
  if (value === null) return [Buffer.from("N")];
  if (typeof value === "boolean") return [Buffer.from([value ? 0x88 : 0x89])];
  if (typeof value === "string") {
    const bytes = Buffer.from(value);
    const length = Buffer.alloc(4);
    length.writeUInt32LE(bytes.length);
    return [Buffer.from("X"), length, bytes];
  }
  if (typeof value === "number") {
    const isInt = Number.isInteger(value) && Math.abs(value) < 2 ** 31;
    const bytes = Buffer.alloc(isInt ? 4 : 8);
    if (isInt) bytes.writeInt32LE(value);
    else bytes.writeDoubleBE(value);
    return [Buffer.from(isInt ? "J" : "G"), bytes];
  }
  if (Array.isArray(value))
    return [Buffer.from("]("), ...(value as Picklable[]).flatMap(parts), Buffer.from("e")];
  const entries = value instanceof Map ? [...value] : Object.entries(value as Record<string, Picklable>);
  return [Buffer.from("}("), ...entries.flat().flatMap(parts), Buffer.from("u")];
}
