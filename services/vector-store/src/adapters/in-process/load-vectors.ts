import type { Database } from "@kindred/postgres";
import type { PoolClient } from "pg";
import type { Collection } from "../../domain/collection.ts";
import { squaredNorms } from "../../domain/exact-distance.ts";
import { PackedKeys } from "../../domain/packed-keys.ts";
import {
  cursorRows,
  measureRows,
  pagedRows,
  withSnapshot,
  type JsonVectorRows,
} from "../postgres/json-vectors.ts";
import { noteChanges, tableVersion } from "../postgres/vector-changes.ts";
import { Breather } from "../../domain/breathe.ts";
import { parseVectors } from "./scan.ts";
import { SharedWork } from "./shared-work.ts";
import type { RememberedVectors, Room, VectorCache } from "./vector-cache.ts";

/** Text of a block of vectors is some 20 bytes a number. */
const NUMBER_BYTES = 20;
/** What is read in one go is taken in in one go, and everybody else waits for that. */
const BLOCK_BYTES = 2 * 2 ** 20;
const MOST_ROWS = 1000;

/** After changes of a table could not be noted, that is tried again so much later. */
const RETRY_NOTING_MS = 10_000;

/** How many rows of so many dimensions are read at a time. */
export function blockRows(dimensions: number): number {
  return Math.max(1, Math.min(MOST_ROWS, Math.floor(BLOCK_BYTES / (NUMBER_BYTES * dimensions))));
}

/** Reads vectors into the cache. */
export class VectorLoader {
  readonly #db: Database;
  readonly #cache: VectorCache;
  readonly #loads = new SharedWork<boolean>();
  /** Tables whose changes are not noted, and when that was found. */
  readonly #unnoted = new Map<string, number>();

  constructor(deps: { db: Database; cache: VectorCache }) {
    this.#db = deps.db;
    this.#cache = deps.cache;
  }

  nameOf({ layout }: Pick<Collection, "layout">): string {
    return JSON.stringify([layout.vectors.schema, layout.vectors.name]);
  }

  /**
   * Reads all vectors of the collection. Those who ask at the same time wait for one reading; it ends when the last of them goes.
   * @param version of the contents that the caller missed: nothing is read where a reading that ended meanwhile brought just these
   * @returns whether they are remembered now; not when they are too many, or changed before all were read.
   */
  async load(
    collection: Collection,
    version: string | undefined,
    signal: AbortSignal | undefined,
  ): Promise<boolean> {
    const name = this.nameOf(collection);
    if (version !== undefined && this.#cache.has(name, version)) return true;
    return await this.#loads.join(name, signal, (shared) => this.#load(collection, shared));
  }

  async #load(collection: Collection, signal: AbortSignal): Promise<boolean> {
    if (!(await this.#noted(collection))) return false;
    return this.#db.capabilities.concurrentSessions
      ? await this.#loadSnapshot(collection, signal)
      : await this.#loadPages(collection, signal);
  }

  async #noted(collection: Collection): Promise<boolean> {
    const name = this.nameOf(collection);
    const at = this.#unnoted.get(name);
    if (at !== undefined && performance.now() - at < RETRY_NOTING_MS) return false;
    const noted = await noteChanges(this.#db, collection.layout.vectors);
    if (noted) this.#unnoted.delete(name);
    else this.#unnoted.set(name, performance.now());
    return noted;
  }

  #loadSnapshot(collection: Collection, signal: AbortSignal): Promise<boolean> {
    return withSnapshot(this.#db, collection, { signal }, async (client) => {
      const plan = await this.#plan(client, collection);
      if (!plan) return false;
      try {
        const rows = await fill(plan, collection, cursorRows(client, everything(collection)), signal);
        if (rows) this.#cache.fill(plan.room, this.nameOf(collection), rows);
        return rows !== undefined;
      } finally {
        this.#cache.giveBack(plan.room);
      }
    });
  }

  /** What was read by pages is of one piece when the table is at the end what it was at the beginning. */
  async #loadPages(collection: Collection, signal: AbortSignal): Promise<boolean> {
    const plan = await withSnapshot(this.#db, collection, { signal }, (client) =>
      this.#plan(client, collection),
    );
    if (!plan) return false;
    try {
      const pages = pagedRows(this.#db, everything(collection), () => ({ signal }));
      const rows = await fill(plan, collection, pages, signal);
      const version = await tableVersion(this.#db, this.#db.schema, collection.layout.vectors);
      if (!rows || version !== plan.version) return false;
      this.#cache.fill(plan.room, this.nameOf(collection), rows);
      return true;
    } finally {
      this.#cache.giveBack(plan.room);
    }
  }

  async #plan(client: PoolClient, collection: Collection): Promise<LoadPlan | undefined> {
    const version = await tableVersion(client, this.#db.schema, collection.layout.vectors);
    if (version === undefined) return undefined;
    const { rows: keys, keyBytes } = await measureRows(client, collection);
    // A vector, its norm, and where its key ends.
    const rowBytes = 4 * collection.dimensions + 4 + 4;
    const room = this.#cache.reserve(keys * rowBytes + keyBytes);
    return room && { version, room, keys, keyBytes };
  }
}

interface LoadPlan {
  version: string;
  room: Room;
  keys: number;
  keyBytes: number;
}

const everything = (collection: Collection) => ({
  collection,
  filter: undefined,
  vectors: true,
  rows: blockRows(collection.dimensions),
});

/** Undefined when there are other rows than were counted. */
async function fill(
  plan: LoadPlan,
  collection: Collection,
  blocks: AsyncIterable<JsonVectorRows>,
  signal: AbortSignal,
): Promise<RememberedVectors | undefined> {
  const { dimensions } = collection;
  const values = new Float32Array(plan.keys * dimensions);
  const norms = new Float32Array(plan.keys);
  const keys = new PackedKeys(plan);
  const breather = new Breather(signal);
  for await (const block of blocks) {
    const first = keys.count;
    for (const key of block.keys) if (!keys.push(key)) return undefined;
    await parseVectors(block, dimensions, { values, first }, breather);
    squaredNorms(values, dimensions, { first, end: keys.count }, norms);
    await breather.step();
  }
  if (keys.count !== plan.keys) return undefined;
  return { values, norms, keys, count: keys.count, version: plan.version, bytes: plan.room.bytes };
}
