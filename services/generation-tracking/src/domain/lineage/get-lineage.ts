import { KindredError } from "@kindred/errors";
import type { CallLimits, Lineage, LineageStore } from "./ports.ts";

/** Most descendants, and most others of the batch. */
const MAX_RELATIVES = 1000;

/**
 * @param depth how many steps up and down, at least 1
 * @throws KindredError not-found when there is no such generation.
 */
export async function getLineage(
  deps: { lineage: Pick<LineageStore, "lineage"> },
  id: bigint,
  depth: number,
  limits: CallLimits,
): Promise<Lineage> {
  const lineage = await deps.lineage.lineage(id, { depth, relatives: MAX_RELATIVES }, limits);
  if (!lineage) throw new KindredError("not-found", `there is no generation with id ${id}`);
  return lineage;
}
