/**
 * The frontend/backend protocol, version 3.0 (PostgreSQL documentation, chapter 53), as far as a server's front needs
 * it: cutting the client's bytes into messages, and the few messages that the front itself writes.
 */

const PROTOCOL_3_0 = 196608;
const CANCEL_REQUEST = 80877102;
const SSL_REQUEST = 80877103;
const GSS_REQUEST = 80877104;

/** A message as it travelled, type byte and length included; what comes before the session has no type byte. */
export interface Message {
  type: string;
  bytes: Buffer;
}

export type Opening =
  | { kind: "startup"; parameters: Map<string, string> }
  /** The client asks for TLS or GSSAPI; it goes on in the clear when told no. */
  | { kind: "encryption" }
  | { kind: "cancel" }
  | { kind: "unsupported" };

const LONGEST_OPENING = 10_000;
const LONGEST_MESSAGE = 2 ** 30;

/** Cuts a stream of bytes into messages. Copies nothing until a message is complete. */
export class MessageReader {
  #chunks: Buffer[] = [];
  #length = 0;

  push(chunk: Buffer): void {
    this.#chunks.push(chunk);
    this.#length += chunk.length;
  }

  /** @throws RangeError when the bytes are not the protocol. */
  nextOpening(): Opening | undefined {
    const length = this.#peekLength(0);
    if (length === undefined) return undefined;
    if (length < 8 || length > LONGEST_OPENING) throw new RangeError("not an opening message");
    const bytes = this.#take(length);
    return bytes && parseOpening(bytes);
  }

  /** @throws RangeError when the bytes are not the protocol. */
  next(): Message | undefined {
    const length = this.#peekLength(1);
    if (length === undefined) return undefined;
    if (length < 4 || length > LONGEST_MESSAGE) throw new RangeError("not a message");
    const bytes = this.#take(1 + length);
    return bytes && { type: String.fromCharCode(bytes[0] as number), bytes };
  }

  #peekLength(offset: number): number | undefined {
    if (this.#length < offset + 4) return undefined;
    if ((this.#chunks[0] as Buffer).length < offset + 4) this.#chunks = [Buffer.concat(this.#chunks)];
    return (this.#chunks[0] as Buffer).readInt32BE(offset);
  }

  #take(length: number): Buffer | undefined {
    if (this.#length < length) return undefined;
    const all = this.#chunks.length === 1 ? (this.#chunks[0] as Buffer) : Buffer.concat(this.#chunks);
    this.#length -= length;
    this.#chunks = this.#length === 0 ? [] : [all.subarray(length)];
    return all.subarray(0, length);
  }
}

function parseOpening(bytes: Buffer): Opening {
  switch (bytes.readInt32BE(4)) {
    case PROTOCOL_3_0: {
      const fields = bytes.toString("utf8", 8).split("\0");
      const parameters = new Map<string, string>();
      for (let i = 0; i + 1 < fields.length && fields[i] !== ""; i += 2) {
        parameters.set(fields[i] as string, fields[i + 1] as string);
      }
      return { kind: "startup", parameters };
    }
    case SSL_REQUEST:
    case GSS_REQUEST:
      return { kind: "encryption" };
    case CANCEL_REQUEST:
      return { kind: "cancel" };
    default:
      return { kind: "unsupported" };
  }
}

function message(type: string, body: Buffer): Buffer {
  const bytes = Buffer.allocUnsafe(5 + body.length);
  bytes.write(type, 0, "latin1");
  bytes.writeInt32BE(4 + body.length, 1);
  bytes.set(body, 5);
  return bytes;
}

/** A startup message: what a client says first. */
export function startup(user: string, database: string): Buffer {
  const body = Buffer.from(`user\0${user}\0database\0${database}\0\0`);
  const bytes = Buffer.alloc(8 + body.length);
  bytes.writeInt32BE(bytes.length, 0);
  bytes.writeInt32BE(PROTOCOL_3_0, 4);
  bytes.set(body, 8);
  return bytes;
}

export function query(sql: string): Buffer {
  return message("Q", Buffer.from(`${sql}\0`));
}

/** Closes a prepared statement; one that does not exist is no error. */
export function closeStatement(name: string): Buffer {
  return Buffer.concat([message("C", Buffer.from(`S${name}\0`)), message("S", Buffer.alloc(0))]);
}

export const askForPassword: Buffer = message("R", Buffer.from([0, 0, 0, 3]));

export function fatalError(sqlState: string, text: string): Buffer {
  return message("E", Buffer.from(`SFATAL\0VFATAL\0C${sqlState}\0M${text}\0\0`));
}

/** The text of a PasswordMessage or Query. */
export function textOf({ bytes }: Message): string {
  return bytes.toString("utf8", 5, bytes.length - 1);
}

/** The SQL in a Query or Parse message; undefined for other messages. */
export function sqlOf(given: Message): string | undefined {
  if (given.type === "Q") return textOf(given);
  if (given.type !== "P") return undefined;
  const start = given.bytes.indexOf(0, 5) + 1;
  return given.bytes.toString("utf8", start, given.bytes.indexOf(0, start));
}

/**
 * The message with the name of its prepared statement changed: all connections share one session, in which names
 * have to differ. The unnamed statement keeps being unnamed.
 */
export function renameStatement(given: Message, rename: (name: string) => string): Buffer {
  const { type, bytes } = given;
  let start: number;
  if (type === "P") start = 5;
  else if (type === "B") start = bytes.indexOf(0, 5) + 1;
  else if ((type === "D" || type === "C") && bytes[5] === "S".charCodeAt(0)) start = 6;
  else return bytes;
  const end = bytes.indexOf(0, start);
  if (end <= start) return bytes;
  const name = Buffer.from(rename(bytes.toString("utf8", start, end)));
  return message(type, Buffer.concat([bytes.subarray(5, start), name, bytes.subarray(end)]));
}

/** The state that a ReadyForQuery at the end of a reply reports; undefined when it does not end in one. */
export function finalState(tail: Uint8Array): "idle" | "transaction" | "failed" | undefined {
  const end = Buffer.from(tail.slice(-6));
  if (end.length < 6 || end.toString("latin1", 0, 1) !== "Z" || end.readInt32BE(1) !== 5) return undefined;
  return ({ I: "idle", T: "transaction", E: "failed" } as const)[end.toString("latin1", 5)];
}
