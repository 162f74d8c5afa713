import {
  IndexKind,
  IndexQuantization,
  type IndexSpec as IndexSpecMessage,
} from "@kindred/contracts/vector-store/v1";
import type { FieldChecks } from "@kindred/rpc";
import { AUTO_POLICY, policyProblems } from "../../domain/index-policy.ts";
import type { IndexMethod, IndexWish } from "../../domain/indexes/index-spec.ts";
import { readMetric } from "../collections/collection-fields.ts";
import { INDEX_KINDS, QUANTIZATIONS } from "../collections/enums.ts";

// vectorscale's limits (pgvectorscale: access_method/options.rs).
const LEAST_NEIGHBORS = 10;
const MOST_NEIGHBORS = 1000;
const LEAST_SEARCH_LIST = 10;
const MOST_SEARCH_LIST = 1000;

/** Which method each number belongs to. */
const METHOD_OF = {
  m: "hnsw",
  efConstruction: "hnsw",
  lists: "ivfflat",
  numNeighbors: "diskann",
  searchListSize: "diskann",
} as const satisfies Partial<Record<keyof IndexWish, IndexMethod>>;

const FIELDS: Record<keyof typeof METHOD_OF, string> = {
  m: "m",
  efConstruction: "ef_construction",
  lists: "lists",
  numNeighbors: "num_neighbors",
  searchListSize: "search_list_size",
};

/**
 * Reads what an index shall be like, noting what is wrong with it. Numbers of one method name that method where the kind is left open;
 * whether the collection can have such an index, its planner says.
 * @param field the message's path, e.g. "spec"
 */
export function readIndexWish(
  message: Partial<Omit<IndexSpecMessage, "$typeName" | "$unknown">> | undefined,
  field: string,
  checks: FieldChecks,
): IndexWish {
  const numbers = {
    m: message?.m || undefined,
    efConstruction: message?.efConstruction || undefined,
    lists: message?.lists || undefined,
    numNeighbors: message?.numNeighbors || undefined,
    searchListSize: message?.searchListSize || undefined,
  };
  return {
    method: readMethod(message?.kind ?? IndexKind.UNSPECIFIED, numbers, field, checks),
    quantization: readQuantization(message?.quantization ?? IndexQuantization.UNSPECIFIED, field, checks),
    metric: message?.metric === undefined ? undefined : readMetric(message.metric, `${field}.metric`, checks),
    ...checkNumbers(numbers, field, checks),
  };
}

type Numbers = Pick<IndexWish, keyof typeof METHOD_OF>;

function readMethod(
  message: IndexKind,
  numbers: Numbers,
  field: string,
  checks: FieldChecks,
): IndexMethod | undefined {
  const kind = INDEX_KINDS.get(message);
  if (!kind) checks.add(`${field}.kind`, `must be a known IndexKind, is ${message}`);
  if (kind === "none")
    checks.add(`${field}.kind`, "must be a kind of index, or not set for the store to choose; is none");
  if (!kind || kind === "none") return undefined;
  const named = (Object.keys(METHOD_OF) as (keyof typeof METHOD_OF)[]).filter(
    (name) => numbers[name] !== undefined,
  );
  const first = named[0];
  const method = kind === "auto" ? first && METHOD_OF[first] : kind;
  for (const name of named) {
    if (METHOD_OF[name] === method) continue;
    checks.add(
      `${field}.${FIELDS[name]}`,
      `is ${METHOD_OF[name]}'s, but the index is to be ${method}: leave it 0`,
    );
  }
  return method;
}

function readQuantization(
  message: IndexQuantization,
  field: string,
  checks: FieldChecks,
): IndexWish["quantization"] {
  if (message === IndexQuantization.UNSPECIFIED) return undefined;
  const quantization = QUANTIZATIONS.get(message);
  if (!quantization) checks.add(`${field}.quantization`, `must be a known IndexQuantization, is ${message}`);
  return quantization;
}

function checkNumbers(numbers: Numbers, field: string, checks: FieldChecks): Numbers {
  const { m, efConstruction, lists, numNeighbors, searchListSize } = numbers;
  for (const problem of policyProblems({ ...AUTO_POLICY, m, efConstruction, lists }))
    checks.add(`${field}.${problem.field}`, problem.description);
  checkRange(numNeighbors, LEAST_NEIGHBORS, MOST_NEIGHBORS, `${field}.num_neighbors`, checks);
  checkRange(searchListSize, LEAST_SEARCH_LIST, MOST_SEARCH_LIST, `${field}.search_list_size`, checks);
  return numbers;
}

function checkRange(
  value: number | undefined,
  least: number,
  most: number,
  field: string,
  checks: FieldChecks,
): void {
  if (value !== undefined && (value < least || value > most))
    checks.add(field, `must be ${least} to ${most}, or 0 for the store to choose; is ${value}`);
}
