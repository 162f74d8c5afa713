import type { FieldViolation } from "@kindred/errors";
import type { Collection, IndexPolicy } from "./collection.ts";
import { quantizationProblem, widthProblem } from "./indexes/index-limits.ts";
import { indexNameProblem } from "./indexes/index-names.ts";

// pgvector's limits (hnsw.h, ivfflat.h).
const MIN_M = 2;
const MAX_M = 100;
const MAX_EF_CONSTRUCTION = 1000;
const MAX_LISTS = 32_768;

export const AUTO_POLICY: IndexPolicy = {
  kind: "auto",
  m: undefined,
  efConstruction: undefined,
  lists: undefined,
  quantization: undefined,
  maintenance: "automatic",
  minRows: undefined,
  indexName: undefined,
};

/** What is wrong with a policy, by the members' names in the contract. */
export function policyProblems(policy: IndexPolicy): FieldViolation[] {
  const { kind, m, efConstruction, lists, minRows, indexName } = policy;
  const problems: FieldViolation[] = [];
  if (kind === "diskann") {
    for (const [field, value] of Object.entries({ m, ef_construction: efConstruction, lists })) {
      if (value !== undefined)
        problems.push({ field, description: `is not diskann's: leave it 0; is ${value}` });
    }
  }
  const outside = (value: number | undefined, least: number, most: number): boolean =>
    value !== undefined && (value < least || value > most);
  const badM = outside(m, MIN_M, MAX_M);
  if (badM) problems.push({ field: "m", description: range(`${MIN_M} to ${MAX_M}`, m) });
  const least = 2 * (badM || m === undefined ? MIN_M : m);
  if (outside(efConstruction, least, MAX_EF_CONSTRUCTION)) {
    problems.push({
      field: "ef_construction",
      description: range(`2 * m (${least}) to ${MAX_EF_CONSTRUCTION}`, efConstruction),
    });
  }
  if (outside(lists, 1, MAX_LISTS))
    problems.push({ field: "lists", description: range(`1 to ${MAX_LISTS}`, lists) });
  if (minRows !== undefined && minRows < 0)
    problems.push({ field: "min_rows", description: `must be 0 or more; is ${minRows}` });
  const badName = indexName === undefined ? undefined : indexNameProblem(indexName);
  if (badName !== undefined) problems.push({ field: "index_name", description: badName });
  return problems;
}

/** What a policy wants that vectors like the collection's cannot have, by the members' names in the contract. */
export function unfittingPolicy(
  { kind, quantization }: Pick<IndexPolicy, "kind" | "quantization">,
  collection: Pick<Collection, "dimensions" | "elementType">,
): FieldViolation[] {
  const method = kind === "auto" || kind === "none" ? undefined : kind;
  const problems = quantizationProblem(quantization ?? "none", method, collection);
  if (problems) return problems;
  return (quantization && widthProblem(method ?? "hnsw", quantization, collection)) ?? [];
}

/** Who looks after indexes where nobody says: users' own tables are left to them. */
export function usualMaintenance({ kind }: Pick<Collection, "kind">): IndexPolicy["maintenance"] {
  return kind === "registered" ? "manual" : "automatic";
}

const range = (allowed: string, value: number | undefined): string =>
  `must be ${allowed}, or 0 for the store to choose; is ${value}`;
