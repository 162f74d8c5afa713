import { KindredError } from "@kindred/errors";
import type { FieldReader } from "./field-reader.ts";
import type { IndexSource } from "./index-source.ts";
import { refusal } from "./refusal.ts";

/**
 * The lists of an inverted file that have anything in them, in the order of the file. Of each list the file has all codes, and behind
 * them all ids. Rows are counted through all lists in this order.
 */
export interface InvertedLists {
  /** Vectors in all lists. */
  readonly rows: number;
  readonly codeBytes: number;
  /** Number of each list, that of its centroid. */
  readonly numbers: readonly number[];
  /** First row of each list, ascending. */
  readonly firstRows: readonly number[];
  /** Where each list begins in the file. */
  readonly starts: readonly number[];
}

/** How rows are ordered: in ascending id. */
export interface RowOrder {
  /** Row of each position. */
  readonly rows: Uint32Array;
  /** Id of each row; undefined where ids are the positions. */
  readonly ids: BigInt64Array | undefined;
}

const ID_BYTES = 8;
const MAX_ROWS = 0xffff_fffe;

/** Reads the sizes of ArrayInvertedLists, and steps over what is in them. */
export async function readInvertedLists(
  fields: FieldReader,
  expected: { lists: number; codeBytes: number; inside: readonly string[] },
): Promise<InvertedLists> {
  const { path } = fields.source;
  const fourcc = await fields.fourcc("the kind of the inverted lists");
  if (fourcc !== "ilar") throw refusal(fourcc, { path, inside: expected.inside });
  const lists = await fields.count("the number of inverted lists");
  const codeBytes = await fields.count("the code size of the inverted lists");
  if (lists !== expected.lists || codeBytes !== expected.codeBytes)
    throw fields.fault(
      `the inverted lists are ${lists} with codes of ${codeBytes} bytes, ` +
        `the index has ${expected.lists} with ${expected.codeBytes}`,
    );
  const rowBytes = codeBytes + ID_BYTES;
  const numbers: number[] = [];
  const firstRows: number[] = [];
  let rows = 0;
  for await (const { list, size } of listSizes(fields, lists)) {
    numbers.push(list);
    firstRows.push(rows);
    rows += size;
    if (rows * rowBytes > fields.remaining)
      throw fields.fault(
        `the inverted lists up to number ${list} have more vectors than the file has bytes for`,
      );
  }
  const at = fields.skip("the inverted lists", rows * rowBytes);
  if (rows > MAX_ROWS)
    throw new KindredError(
      "unimplemented",
      `${path} has ${rows} vectors in inverted lists; Kindred reads ${MAX_ROWS} at most. Split it.`,
    );
  return { rows, codeBytes, numbers, firstRows, starts: firstRows.map((row) => at + row * rowBytes) };
}

/** Those with anything in them. "full": a size for each list. "sprs": the number and the size of each that has one. */
async function* listSizes(
  fields: FieldReader,
  lists: number,
): AsyncGenerator<{ list: number; size: number }> {
  const form = await fields.fourcc("the form of the sizes of the inverted lists");
  const length = await fields.length("the sizes of the inverted lists", 8);
  const full = form === "full";
  if (full ? length !== lists : form !== "sprs" || length % 2 !== 0)
    throw fields.fault(
      `the sizes of ${lists} inverted lists cannot be ${length} numbers in the form "${form}"`,
    );
  let index = 0;
  let list = -1;
  for await (const values of fields.counts("the sizes of the inverted lists", length)) {
    for (const value of values) {
      const isSize = full || index % 2 === 1;
      if (full) list = index;
      else if (!isSize) {
        if (value <= list || value >= lists)
          throw fields.fault(`inverted list ${value} of ${lists} cannot follow list ${list}`);
        list = value;
      }
      if (isSize && value > 0) yield { list, size: value };
      index += 1;
    }
  }
}

/**
 * Reads all ids, and says in which order rows come: by id. Takes 4 bytes a row where ids are 0 to rows - 1, otherwise 12, and 8 more
 * while it works.
 */
export async function orderRows(source: IndexSource, lists: InvertedLists): Promise<RowOrder> {
  const ids = new BigInt64Array(lists.rows);
  for (const [i, start] of lists.starts.entries()) {
    const first = lists.firstRows[i] as number;
    const size = sizeOf(lists, i);
    const into = new Uint8Array(ids.buffer, first * ID_BYTES, size * ID_BYTES);
    await source.read(into, start + size * lists.codeBytes);
  }
  const rows = rowsOfPositions(ids);
  return rows ? { rows, ids: undefined } : { rows: sortRowsById(ids), ids };
}

/** The row of each id, where ids are 0 to rows - 1, each once; undefined where they are not. */
function rowsOfPositions(ids: BigInt64Array): Uint32Array | undefined {
  const halves = new Uint32Array(ids.buffer);
  const none = 0xffff_ffff;
  const rows = new Uint32Array(ids.length).fill(none);
  for (let row = 0; row < ids.length; row++) {
    const id = halves[2 * row] as number;
    // Beyond the end of `rows` there is nothing, which is not `none` either.
    if (halves[2 * row + 1] !== 0 || rows[id] !== none) return undefined;
    rows[id] = row;
  }
  return rows;
}

/** Rows by ascending id, rows of one id in their order: a radix sort, byte by byte, that passes over bytes all ids share. */
export function sortRowsById(ids: BigInt64Array): Uint32Array {
  const bytes = new Uint8Array(ids.buffer, ids.byteOffset, ids.byteLength);
  let rows = Uint32Array.from({ length: ids.length }, (_, row) => row);
  let sorted = new Uint32Array(ids.length);
  for (let byte = 0; byte < 8; byte++) {
    // The sign is in the last byte: negative ids come first.
    const flip = byte === 7 ? 0x80 : 0;
    const starts = new Uint32Array(257);
    for (let at = byte; at < bytes.length; at += 8) {
      const bucket = ((bytes[at] as number) ^ flip) + 1;
      starts[bucket] = (starts[bucket] as number) + 1;
    }
    if (starts.includes(ids.length, 1)) continue;
    for (let bucket = 1; bucket <= 256; bucket++)
      starts[bucket] = (starts[bucket] as number) + (starts[bucket - 1] as number);
    for (const row of rows) {
      const bucket = (bytes[8 * row + byte] as number) ^ flip;
      const to = starts[bucket] as number;
      sorted[to] = row;
      starts[bucket] = to + 1;
    }
    [rows, sorted] = [sorted, rows];
  }
  return rows;
}

/** Where a row is: its list's number, and the place of its code in the file. */
export function locate(lists: InvertedLists, row: number): { list: number; at: number } {
  let low = 0;
  let high = lists.firstRows.length;
  while (high - low > 1) {
    const middle = (low + high) >>> 1;
    if ((lists.firstRows[middle] as number) <= row) low = middle;
    else high = middle;
  }
  const within = row - (lists.firstRows[low] as number);
  return { list: lists.numbers[low] as number, at: (lists.starts[low] as number) + within * lists.codeBytes };
}

function sizeOf({ firstRows, rows }: InvertedLists, index: number): number {
  return (firstRows[index + 1] ?? rows) - (firstRows[index] as number);
}
