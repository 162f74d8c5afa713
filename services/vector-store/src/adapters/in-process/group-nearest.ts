import type { GroupValue } from "../../domain/item.ts";
import type { NearItem } from "./scan.ts";

/**
 * The groups of the nearest items, those with the nearest item first, each one's items together. Items that lack the field are one
 * group.
 * @param nearest nearest first
 */
export function groupNearest(
  nearest: readonly NearItem[],
  options: { groupOf: (key: string) => GroupValue; groups: number; size: number },
): (NearItem & { group: GroupValue })[] {
  const groups = new Map<GroupValue, NearItem[]>();
  for (const item of nearest) {
    const value = options.groupOf(item.key);
    const members = groups.get(value);
    if (members === undefined) groups.set(value, [item]);
    else if (members.length < options.size) members.push(item);
  }
  return [...groups]
    .slice(0, options.groups)
    .flatMap(([group, members]) => members.map((item) => ({ ...item, group })));
}
