import { KindredError } from "@kindred/errors";
import { diffSettings, type SettingsDiff } from "./diff-settings.ts";
import type { GenerationStore } from "../generation-store.ts";

/** @throws KindredError not-found when one of them is not there. */
export async function diffGenerations(
  deps: { store: Pick<GenerationStore, "findMany"> },
  leftId: bigint,
  rightId: bigint,
): Promise<SettingsDiff> {
  const found = new Map((await deps.store.findMany([leftId, rightId])).map((each) => [each.id, each]));
  const [left, right] = [leftId, rightId].map((id) => {
    const generation = found.get(id);
    if (!generation) throw new KindredError("not-found", `there is no generation with id ${id}`);
    return generation;
  });
  return diffSettings(left!, right!);
}
