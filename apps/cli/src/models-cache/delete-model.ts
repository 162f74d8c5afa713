import { rm } from "node:fs/promises";
import type { ModelCacheEntry } from "@kindred/contracts/generation-tracking/v1";
import { systemCodeOf } from "../system-error.ts";
import { lookAtPath, whyNotToDelete } from "./look-at-path.ts";

/** What becomes, or became, of a model that is to go. */
export interface Deletion {
  entry: ModelCacheEntry;
  /** `missing` is not there any more; `refused` lies where nothing is deleted; `used` was needed meanwhile; `failed` could not be deleted. */
  state: "deleted" | "missing" | "refused" | "used" | "failed";
  /** Why it is still there. */
  reason?: string;
}

/** What deleting a model would do; changes nothing. */
export async function planDeletion(root: string, entry: ModelCacheEntry): Promise<Deletion> {
  const finding = await lookAtPath(entry.cachePath);
  if (finding.state === "missing") return { entry, state: "missing" };
  if (finding.state === "unreadable") return { entry, state: "refused", reason: finding.reason };
  const reason = await whyNotToDelete(root, entry.cachePath);
  return reason === undefined ? { entry, state: "deleted" } : { entry, state: "refused", reason };
}

/** Does what was planned, if it still holds. */
export async function deleteModel(root: string, planned: Deletion): Promise<Deletion> {
  if (planned.state !== "deleted") return planned;
  const deletion = await planDeletion(root, planned.entry);
  if (deletion.state !== "deleted") return deletion;
  try {
    await rm(planned.entry.cachePath, { recursive: true });
    return deletion;
  } catch (error) {
    const code = systemCodeOf(error);
    if (code === undefined) throw error;
    return { entry: planned.entry, state: "failed", reason: code };
  }
}
