import type { JsonObject } from "./image.ts";
import type { PackedVector } from "./packed-vector.ts";

/** Which parts of items a reply has. */
export interface Projection {
  vector: boolean;
  /** Members of the metadata's top level; "all" of them or none. */
  metadata: "all" | "none" | readonly string[];
  document: boolean;
}

/** An item as it is stored. What the projection leaves out is undefined. */
export interface Item {
  /** Numbers and UUIDs in their text form. */
  key: string;
  vector: PackedVector | undefined;
  metadata: JsonObject | undefined;
  document: string | undefined;
  updatedAt: Date | undefined;
}

/** The value by which hits are grouped; undefined for items that lack the field. */
export type GroupValue = string | number | boolean | undefined;

/** An item that is ready to be stored. */
export interface ItemRow {
  key: string;
  vector: PackedVector;
  metadata: JsonObject | undefined;
  document: string | undefined;
}
