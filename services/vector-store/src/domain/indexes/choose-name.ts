import { KindredError } from "@kindred/errors";
import type { Collection } from "../collection.ts";
import type { CallLimits } from "../ports.ts";
import { buildingName, freeName, indexName, retiredName } from "./index-names.ts";
import type { IndexSpec } from "./index-spec.ts";
import type { IndexUpkeep, KnownIndex } from "./index-upkeep.ts";

type Names = Pick<IndexUpkeep, "list" | "isTaken">;

/**
 * What an index will be called when it serves: as is asked for, else as the policy says of an index like it, else by the rule, or the
 * next name by it that nobody's index has.
 * @throws KindredError already-exists where the name that is asked for, or one that it needs on the way, is somebody else's
 */
export async function chooseIndexName(
  indexes: Names,
  collection: Collection,
  spec: IndexSpec,
  asked: string | undefined,
  limits: CallLimits,
): Promise<string> {
  const known = await indexes.list(collection, limits);
  const wanted = asked ?? policyName(collection, spec);
  if (wanted !== undefined) {
    await requireFree(indexes, collection, known, wanted, limits);
    return wanted;
  }
  const own = new Set(known.filter(({ owned }) => owned).map(({ name }) => name));
  const name = indexName(collection.layout, spec, collection.elementType);
  const taken = new Set<string>();
  for (;;) {
    const candidate = freeName(name, (tried) => taken.has(tried));
    if (own.has(candidate) || !(await indexes.isTaken(collection, candidate, limits))) return candidate;
    taken.add(candidate);
  }
}

/** An index for other searches, or of another kind, than the policy's has a name of its own: it may stand beside that one. */
function policyName({ indexPolicy, metric }: Collection, spec: IndexSpec): string | undefined {
  const { kind, quantization, indexName: name } = indexPolicy;
  const sameKind = kind === "auto" || kind === "none" || kind === spec.method;
  const sameContent = quantization === undefined || quantization === spec.quantization;
  const sameSearches = spec.quantization === "binary" || spec.metric === metric;
  return sameKind && sameContent && sameSearches ? name : undefined;
}

async function requireFree(
  indexes: Names,
  collection: Collection,
  known: readonly KnownIndex[],
  wanted: string,
  limits: CallLimits,
): Promise<void> {
  for (const name of [wanted, buildingName(wanted), retiredName(wanted)]) {
    const found = known.find((index) => index.name === name);
    // What an interrupted build has left is removed by the next one.
    if (found && (found.owned || (name !== wanted && !found.valid))) continue;
    if (!found && !(await indexes.isTaken(collection, name, limits))) continue;
    const why = name === wanted ? "" : `, which an index ${JSON.stringify(wanted)} is called for a while`;
    const remedy = found ? `, or drop it first: kindred index drop ${collection.name} ${name}` : "";
    throw new KindredError(
      "already-exists",
      `${found ? "an index that the store has not built" : "something else in its schema"} has the name ` +
        `${JSON.stringify(name)}${why}: choose another name${remedy}`,
    );
  }
}
