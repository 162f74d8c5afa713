import { open, type FileHandle } from "node:fs/promises";
import { EXIT } from "../exit-codes.ts";
import { Failure } from "../failure.ts";
import { unreadable } from "../file-error.ts";

const MAGIC = "\x93NUMPY";
/** Magic, version, and the length of the rest in four bytes. */
const LONGEST_PREFIX = 12;
/** A header of two numbers is a hundred bytes; this one is not of NumPy. */
const MAX_HEADER_BYTES = 65_536;

/** A matrix of little-endian float32 in a NumPy file, row after row. */
export interface NpyMatrix extends AsyncDisposable {
  rows: number;
  /** Length of a row; a file of one dimension is one row. */
  columns: number;
  /** Little-endian float32 of rows `from` to `to` (without). @throws Failure */
  read(from: number, to: number): Promise<Uint8Array>;
  /** Of the file, to recognise it by. */
  size: number;
  modifiedMs: number;
}

/** @throws Failure when it cannot be read, or is no such matrix. */
export async function openNpy(path: string): Promise<NpyMatrix> {
  await using opening = new AsyncDisposableStack();
  const file = await reading(path, async () => opening.use(await open(path)));
  const header = await reading(path, () => readHeader(file));
  if (!header) throw notNpy(path, "it does not begin as a NumPy file does");
  const { shape, descr, fortran, offset } = header;
  const [rows, columns] = shape.length === 1 ? [1, shape[0]] : shape;
  if (
    descr !== "<f4" ||
    fortran ||
    shape.length > 2 ||
    rows === undefined ||
    columns === undefined ||
    columns < 1
  ) {
    throw notNpy(
      path,
      `its dtype is ${descr}, its shape (${shape.join(", ")}), and its order ${fortran ? "Fortran's" : "C's"}`,
    );
  }
  const { size, mtimeMs } = await reading(path, () => file.stat());
  const rowBytes = columns * Float32Array.BYTES_PER_ELEMENT;
  if (size !== offset + rows * rowBytes) {
    throw notNpy(
      path,
      `it has ${size} bytes where ${rows} x ${columns} float32 need ${offset + rows * rowBytes}`,
    );
  }
  const owned = opening.move();
  return {
    rows,
    columns,
    size,
    modifiedMs: mtimeMs,
    read: (from, to) =>
      reading(path, () => readExactly(file, offset + from * rowBytes, (to - from) * rowBytes)),
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}

interface Header {
  descr: string;
  fortran: boolean;
  shape: number[];
  /** Where the values begin. */
  offset: number;
}

/** https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html; undefined when it is no such header. */
async function readHeader(file: FileHandle): Promise<Header | undefined> {
  const prefix = Buffer.alloc(LONGEST_PREFIX);
  const { bytesRead } = await file.read(prefix, 0, LONGEST_PREFIX, 0);
  if (bytesRead < LONGEST_PREFIX || prefix.toString("latin1", 0, MAGIC.length) !== MAGIC) return undefined;
  const isLong = (prefix[MAGIC.length] as number) >= 2;
  const begin = isLong ? 12 : 10;
  const length = isLong ? prefix.readUInt32LE(8) : prefix.readUInt16LE(8);
  if (length > MAX_HEADER_BYTES) return undefined;
  const literal = Buffer.from(await readExactly(file, begin, length)).toString("latin1");
  const descr = /'descr':\s*'([^']*)'/.exec(literal)?.[1];
  const fortran = /'fortran_order':\s*(True|False)/.exec(literal)?.[1];
  const shape = /'shape':\s*\(([\d,\s]*)\)/.exec(literal)?.[1];
  if (descr === undefined || fortran === undefined || shape === undefined) return undefined;
  const numbers = shape.split(",").flatMap((part) => (part.trim() === "" ? [] : [Number(part)]));
  return { descr, fortran: fortran === "True", shape: numbers, offset: begin + length };
}

async function readExactly(file: FileHandle, position: number, length: number): Promise<Uint8Array> {
  const bytes = new Uint8Array(length);
  for (let done = 0; done < length;) {
    const { bytesRead } = await file.read(bytes, done, length - done, position + done);
    if (bytesRead === 0) throw new Error("it ends too early");
    done += bytesRead;
  }
  return bytes;
}

async function reading<T>(path: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw unreadable(path, error);
  }
}

function notNpy(path: string, reason: string): Failure {
  return new Failure(`${path} is no matrix of float32: ${reason}.`, {
    exitCode: EXIT.data,
    remedy: 'With NumPy: np.save(path, np.ascontiguousarray(array, dtype="<f4"))',
  });
}
