import {
  BadRowPolicy as BadRowMessage,
  ConflictPolicy as ConflictMessage,
  WriteMethod as WriteMethodMessage,
  type ItemBatch as ItemBatchMessage,
} from "@kindred/contracts/vector-store/v1";
import type { FieldChecks } from "@kindred/rpc";
import type { BadRowPolicy, NewItems } from "../../domain/items/new-items.ts";
import type { ConflictPolicy, WriteMethod } from "../../domain/item-ports.ts";
import { checkText, MAX_SPACE_ID_CHARACTERS } from "../text-checks.ts";

export const MAX_COLLECTION_CHARACTERS = 63;

const CONFLICTS: Partial<Record<ConflictMessage, ConflictPolicy>> = {
  [ConflictMessage.ERROR]: "error",
  [ConflictMessage.SKIP]: "skip",
  [ConflictMessage.REPLACE]: "replace",
};

const BAD_ROWS: Record<BadRowMessage, BadRowPolicy> = {
  [BadRowMessage.UNSPECIFIED]: "reject-batch",
  [BadRowMessage.REJECT_BATCH]: "reject-batch",
  [BadRowMessage.SKIP_ROW]: "skip-row",
};

const WRITE_METHODS: Record<WriteMethodMessage, WriteMethod> = {
  [WriteMethodMessage.UNSPECIFIED]: "auto",
  [WriteMethodMessage.COPY]: "copy",
  [WriteMethodMessage.INSERT]: "insert",
};

/** Its rows are checked where the collection is known. */
export function readItems(
  message: ItemBatchMessage | undefined,
  path: string,
  checks: FieldChecks,
): NewItems {
  if (!message) checks.add(path, "is required");
  return {
    keys: message?.keys ?? [],
    vectors: message?.vectors ?? new Uint8Array(),
    texts: message?.texts ?? [],
    metadata: message?.metadata ?? [],
    documents: message?.documents ?? [],
  };
}

export function readCollection(name: string, path: string, checks: FieldChecks): string {
  checkText(checks, path, name, { required: true, maxCharacters: MAX_COLLECTION_CHARACTERS });
  return name;
}

export function readSpaceId(id: string, path: string, checks: FieldChecks): string {
  checkText(checks, path, id, { maxCharacters: MAX_SPACE_ID_CHARACTERS });
  return id;
}

/** @param unspecified what a caller who says nothing means */
export function readConflictPolicy(
  policy: ConflictMessage,
  unspecified: ConflictPolicy,
  path: string,
  checks: FieldChecks,
): ConflictPolicy {
  if (policy === ConflictMessage.UNSPECIFIED) return unspecified;
  const known = CONFLICTS[policy];
  if (!known) checks.add(path, `must be a known ConflictPolicy, is ${policy}`);
  return known ?? unspecified;
}

export function readBadRowPolicy(policy: BadRowMessage, path: string, checks: FieldChecks): BadRowPolicy {
  const known = BAD_ROWS[policy] as BadRowPolicy | undefined;
  if (!known) checks.add(path, `must be a known BadRowPolicy, is ${policy}`);
  return known ?? "reject-batch";
}

export function readWriteMethod(method: WriteMethodMessage, path: string, checks: FieldChecks): WriteMethod {
  const known = WRITE_METHODS[method] as WriteMethod | undefined;
  if (!known) checks.add(path, `must be a known WriteMethod, is ${method}`);
  return known ?? "auto";
}
