import type { Collection } from "../collection.ts";
import type { PackedVector } from "../packed-vector.ts";
import type { CallLimits } from "../ports.ts";

// What moving a collection into another embedding space asks of the database.

/** A collection on its way: the same items, and their vectors in another table. */
export interface SpaceMove {
  /** Whose work it is. Nothing is written any more for one that was begun again elsewhere. */
  operation: { id: bigint; attempts: number };
  from: Collection;
  /** As it will be: of another space, its vectors in a table beside the other one. */
  to: Collection;
}

/** An item and the text that stands for it; undefined where it has none. */
export interface ItemText {
  key: string;
  text: string | undefined;
}

export interface NewVector {
  key: string;
  vector: PackedVector;
}

/** Items that cannot be moved for want of a text. */
export interface Textless {
  count: number;
  /** The first few, by key. */
  keys: readonly string[];
}

/** Changes of items that were logged, oldest first. */
export interface LoggedChanges {
  /** Positions in the log. */
  ids: readonly bigint[];
  keys: readonly string[];
  /** Whether a table was emptied, so that any item may be gone. */
  emptied: boolean;
}

/** An index of the new table, and what it is called from the cut-over on. */
export interface MovedIndex {
  name: string;
  finalName: string;
}

export type EmbedAll = (texts: readonly string[]) => Promise<readonly PackedVector[]>;

/** Vectors of a collection in two tables at a time. Everything can be done again. */
export interface SpaceMoves {
  textless(collection: Collection, limits: CallLimits): Promise<Textless>;
  /** What would be lost with the old table, e.g. "the view v of it"; in words. */
  obstacles(collection: Collection, limits: CallLimits): Promise<readonly string[]>;
  /** Makes the new table, and has changes logged from then on. */
  prepare(move: SpaceMove, signal: AbortSignal): Promise<void>;
  /** Items behind `afterKey`, by ascending key. */
  page(
    move: SpaceMove,
    afterKey: string | undefined,
    limit: number,
    signal: AbortSignal,
  ): Promise<readonly ItemText[]>;
  /** Stores vectors of items; those that are gone meanwhile are left out. Keys without a text are put on the log. */
  write(
    move: SpaceMove,
    rows: { vectors: readonly NewVector[]; textless: readonly string[] },
    signal: AbortSignal,
  ): Promise<void>;
  /** Changes behind the position. One that is committed late may be before others which are known. */
  changes(move: SpaceMove, afterId: bigint, limit: number, signal: AbortSignal): Promise<LoggedChanges>;
  /** The items of the keys that are there. */
  texts(move: SpaceMove, keys: readonly string[], signal: AbortSignal): Promise<readonly ItemText[]>;
  /** Brings the new table up to date with changes, and takes those off the log whose items have a text or are gone. */
  settle(
    move: SpaceMove,
    changes: LoggedChanges,
    vectors: readonly NewVector[],
    signal: AbortSignal,
  ): Promise<void>;
  /** Keys that are in one of the two tables only, and not on the log: a few of them. */
  differences(move: SpaceMove, signal: AbortSignal): Promise<readonly string[]>;
  /** Some items whose vectors are as new as their texts. */
  sample(
    move: SpaceMove,
    count: number,
    signal: AbortSignal,
  ): Promise<readonly (ItemText & { vector: PackedVector })[]>;
  /** Whether a search of the new table can be answered by the index. */
  canScan(move: SpaceMove, indexName: string, signal: AbortSignal): Promise<boolean>;
  /**
   * Settles the last changes while writers wait, and puts the new table in the place of the old one, in one transaction. Readers wait for
   * milliseconds at most.
   * @returns "busy" where nothing was done, because there are more changes than `mostChanges`, or a lock could not be had
   * @throws KindredError failed-precondition when an item has no text
   */
  cutOver(
    move: SpaceMove,
    options: { indexes: readonly MovedIndex[]; embed: EmbedAll; mostChanges: number },
    signal: AbortSignal,
  ): Promise<"done" | "busy">;
  /** After the cut-over: drops the old table and the log. */
  finish(move: SpaceMove, signal: AbortSignal): Promise<void>;
  /** Before it: everything is as it was. */
  undo(move: SpaceMove, signal: AbortSignal): Promise<void>;
}
