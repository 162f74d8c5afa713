import type { KeyType } from "../../domain/layout.ts";
import { BIGINT, INTEGER, SMALLINT, TEXT, UUID, type BinaryType } from "./binary-types.ts";

/** How keys, which travel as text, become the key column's binary form. */
export const KEY_TYPES: Record<KeyType, BinaryType<string>> = {
  text: TEXT,
  uuid: UUID,
  smallint: SMALLINT,
  integer: INTEGER,
  bigint: BIGINT,
};
