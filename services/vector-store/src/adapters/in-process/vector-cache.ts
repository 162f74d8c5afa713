import type { VectorRows } from "../../domain/exact-distance.ts";
import type { PackedKeys } from "../../domain/packed-keys.ts";

/** All vectors of a table, in the order that decides between equal distances. */
export interface RememberedVectors extends VectorRows {
  readonly keys: PackedKeys;
  /** Of the table's contents: see tableVersion. */
  readonly version: string;
  readonly bytes: number;
}

/** Room that was given and is to be filled or given back. */
export interface Room {
  readonly bytes: number;
}

/**
 * Vectors of several tables within a number of bytes; whatever was used longest ago makes room for others. Searches that are under
 * way keep what they look at, although it may be forgotten here.
 */
export class VectorCache {
  readonly #limit: number;
  /** Least recently used first. */
  readonly #tables = new Map<string, RememberedVectors>();
  readonly #reserved = new Set<Room>();

  constructor(limit: number) {
    this.#limit = limit;
  }

  /** Bytes that are remembered or about to be. */
  get bytes(): number {
    const held = [...this.#tables.values(), ...this.#reserved];
    return held.reduce((sum, { bytes }) => sum + bytes, 0);
  }

  /** Undefined when these contents are not remembered; others of the table are forgotten then. */
  get(table: string, version: string): RememberedVectors | undefined {
    const found = this.#tables.get(table);
    this.#tables.delete(table);
    if (found?.version !== version) return undefined;
    this.#tables.set(table, found);
    return found;
  }

  /** Whether these contents are remembered; whoever only looks does not count as using them. */
  has(table: string, version: string): boolean {
    return this.#tables.get(table)?.version === version;
  }

  /** Undefined when that is more than the limit, or than others who fill their rooms leave of it. */
  reserve(bytes: number): Room | undefined {
    const taken = [...this.#reserved].reduce((sum, room) => sum + room.bytes, 0);
    if (taken + bytes > this.#limit) return undefined;
    for (const table of this.#tables.keys()) {
      if (this.bytes + bytes <= this.#limit) break;
      this.#tables.delete(table);
    }
    const room = { bytes };
    this.#reserved.add(room);
    return room;
  }

  fill(room: Room, table: string, vectors: RememberedVectors): void {
    this.giveBack(room);
    this.#tables.set(table, vectors);
  }

  giveBack(room: Room): void {
    this.#reserved.delete(room);
  }
}
