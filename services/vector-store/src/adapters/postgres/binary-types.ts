// PostgreSQL's binary forms of values, as the *_recv functions of its types read them. Elements of binary arrays and fields of
// COPY … (FORMAT binary) are the same: a length of 4 bytes and the value, or the length -1 for NULL.

/** How values become a column's binary form. */
export interface BinaryType<V> {
  /** The type's name in SQL, as an array's element too. */
  name: string;
  /** The type's oid; undefined where it differs from database to database. */
  oid: number | undefined;
  /** Bytes of the value's binary form. */
  size(value: V): number;
  /** Writes that many. */
  write(value: V, target: Buffer, offset: number): void;
}

function integer(
  name: string,
  oid: number,
  bytes: number,
  write: (value: string, target: Buffer, offset: number) => void,
): BinaryType<string> {
  return { name, oid, size: () => bytes, write };
}

/** Integers come as their decimal digits. */
export const SMALLINT = integer("smallint", 21, 2, (value, target, offset) => {
  target.writeInt16BE(Number(value), offset);
});
export const INTEGER = integer("integer", 23, 4, (value, target, offset) => {
  target.writeInt32BE(Number(value), offset);
});
export const BIGINT = integer("bigint", 20, 8, (value, target, offset) => {
  target.writeBigInt64BE(BigInt(value), offset);
});

export const TEXT: BinaryType<string> = {
  name: "text",
  oid: 25,
  size: (value) => Buffer.byteLength(value),
  write: (value, target, offset) => {
    target.write(value, offset);
  },
};

/** UUIDs come as text with or without hyphens. */
export const UUID: BinaryType<string> = {
  name: "uuid",
  oid: 2950,
  size: () => 16,
  write: (value, target, offset) => {
    target.write(value.replaceAll("-", ""), offset, "hex");
  },
};

/** The version of jsonb's binary form, behind which the text follows. */
const JSONB_VERSION = 1;

/** JSON comes as its text. */
export const JSONB: BinaryType<string> = {
  name: "jsonb",
  oid: 3802,
  size: (value) => 1 + Buffer.byteLength(value),
  write: (value, target, offset) => {
    target.writeUInt8(JSONB_VERSION, offset);
    target.write(value, offset + 1);
  },
};

/** A value's binary form alone: a parameter, since `pg` sends a Buffer as binary. */
export function toBinary<V>(type: BinaryType<V>, value: V): Buffer {
  const buffer = Buffer.allocUnsafe(type.size(value));
  type.write(value, buffer, 0);
  return buffer;
}
