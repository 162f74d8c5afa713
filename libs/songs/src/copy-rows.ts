import { KindredError } from "@kindred/errors";

/** "PGCOPY\n\377\r\n\0", four bytes of flags, and the length of an extension. PostgreSQL documentation, COPY, "Binary Format". */
const SIGNATURE = Buffer.from("PGCOPY\n\u00ff\r\n\0", "latin1");
const HEADER_BYTES = SIGNATURE.length + 8;
const TRAILER = -1;

/** A row as it came: bytes of each field, undefined for NULL. They are valid until the next chunk comes. */
export type RawRow = readonly (Buffer | undefined)[];

/** Takes the chunks of COPY … (FORMAT binary) apart into rows, wherever the chunks end. */
export class CopyRows {
  readonly #fields: number;
  #chunks: Buffer[] = [];
  #size = 0;
  /** Bytes without which nothing can be taken off: a long field is not put together anew with each chunk of it. */
  #wanted = HEADER_BYTES;
  #state: "header" | "rows" | "over" = "header";

  /** @param fields of each row */
  constructor(fields: number) {
    this.#fields = fields;
  }

  /** Rows that are complete now. @throws KindredError data-loss for what is no such stream */
  *push(chunk: Buffer): Generator<RawRow> {
    this.#chunks.push(chunk);
    this.#size += chunk.length;
    if (this.#size < this.#wanted) return;
    const bytes = this.#chunks.length === 1 ? chunk : Buffer.concat(this.#chunks, this.#size);
    let at = this.#state === "header" ? this.#header(bytes) : 0;
    this.#wanted = 1;
    while (this.#state === "rows") {
      const end = this.#endOfRow(bytes, at);
      if (end === undefined) break;
      if (end > at + 2) yield this.#row(bytes, at);
      at = end;
    }
    const rest = bytes.subarray(at);
    if (this.#state === "over" && rest.length > 0) throw damaged("goes on behind its end");
    this.#chunks = rest.length === 0 ? [] : [rest];
    this.#size = rest.length;
  }

  /** @throws KindredError data-loss when the stream was not complete */
  finish(): void {
    if (this.#state !== "over") throw damaged("ends in the middle");
  }

  #header(bytes: Buffer): number {
    if (!bytes.subarray(0, SIGNATURE.length).equals(SIGNATURE)) throw damaged("does not begin as one");
    const extension = bytes.readUInt32BE(SIGNATURE.length + 4);
    if (extension !== 0) throw damaged("has an extension that nobody knows");
    this.#state = "rows";
    return HEADER_BYTES;
  }

  /** Where the row ends that begins at `at`; undefined, and how much is wanted, when not all of it is there. */
  #endOfRow(bytes: Buffer, at: number): number | undefined {
    const needs = (end: number): boolean => {
      if (end <= bytes.length) return false;
      this.#wanted = end - at;
      return true;
    };
    let end = at + 2;
    if (needs(end)) return undefined;
    const fields = bytes.readInt16BE(at);
    if (fields === TRAILER) {
      this.#state = "over";
      return end;
    }
    if (fields !== this.#fields) throw damaged(`has a row of ${fields} fields`);
    for (let field = 0; field < fields; field += 1) {
      if (needs(end + 4)) return undefined;
      const length = bytes.readInt32BE(end);
      if (length < -1) throw damaged(`has a field of ${length} bytes`);
      end += 4 + Math.max(length, 0);
      if (needs(end)) return undefined;
    }
    return end;
  }

  #row(bytes: Buffer, start: number): RawRow {
    const row: (Buffer | undefined)[] = [];
    let at = start + 2;
    for (let field = 0; field < this.#fields; field += 1) {
      const length = bytes.readInt32BE(at);
      at += 4;
      if (length === -1) row.push(undefined);
      else {
        row.push(bytes.subarray(at, at + length));
        at += length;
      }
    }
    return row;
  }
}

function damaged(what: string): KindredError {
  return new KindredError("data-loss", `what the database sends as COPY in binary ${what}`);
}
