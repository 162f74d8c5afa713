import {
  IndexKind,
  IndexMaintenance,
  IndexQuantization,
  Metric as MetricMessage,
  type IndexPolicy as IndexPolicyMessage,
  type TableReference as TableReferenceMessage,
} from "@kindred/contracts/vector-store/v1";
import type { FieldChecks } from "@kindred/rpc";
import type { IndexPolicy, Metric } from "../../domain/collection.ts";
import { parseSpaceId, SPACE_ID_FORM, type EmbeddingSpace } from "../../domain/embedding-space.ts";
import { AUTO_POLICY, policyProblems } from "../../domain/index-policy.ts";
import { indexNameProblem } from "../../domain/indexes/index-names.ts";
import type { TableReference } from "../../domain/item-ports.ts";
import { checkText } from "../text-checks.ts";
import { INDEX_KINDS, MAINTENANCES, METRICS, QUANTIZATIONS } from "./enums.ts";

// What requests about collections have in common. Each reader notes what is wrong, and gives what it could make of the rest.

const NAME = /^[a-z][a-z0-9_]{0,62}$/;
const NAME_RULE = "must be 1 to 63 of a-z, 0-9 and _, beginning with a letter";
const MAX_IDENTIFIER_BYTES = 63;
const MAX_SPACE_ID_CHARACTERS = 1000;
export const DEFAULT_RECALL_TARGET = 0.95;
export const DEFAULT_TEXT_SEARCH_CONFIG = "english";

export function readName(name: string, field: string, checks: FieldChecks): string {
  if (!NAME.test(name)) checks.add(field, `${NAME_RULE}; is ${JSON.stringify(name)}`);
  return name;
}

/** Undefined for the unspecified one. */
export function readMetric(metric: MetricMessage, field: string, checks: FieldChecks): Metric | undefined {
  const known = METRICS.get(metric);
  if (!known && metric !== MetricMessage.UNSPECIFIED)
    checks.add(field, `must be a known Metric, is ${metric}`);
  return known;
}

export function readRecallTarget(value: number, field: string, checks: FieldChecks): number {
  if (!(value > 0 && value <= 1)) checks.add(field, `must be above 0 and at most 1, is ${value}`);
  return value;
}

/** Undefined for an empty one, which is by the store's rule. */
export function readIndexName(
  name: string | undefined,
  field: string,
  checks: FieldChecks,
): string | undefined {
  if (!name) return undefined;
  const problem = indexNameProblem(name);
  if (problem !== undefined) checks.add(field, problem);
  return name;
}

export function readIndexPolicy(
  message: Partial<Pick<IndexPolicyMessage, keyof IndexPolicy>> | undefined,
  field: string,
  checks: FieldChecks,
  maintenance: IndexPolicy["maintenance"] = "automatic",
): IndexPolicy {
  if (!message) return { ...AUTO_POLICY, maintenance };
  const kind = INDEX_KINDS.get(message.kind ?? IndexKind.UNSPECIFIED);
  if (!kind) checks.add(`${field}.kind`, `must be a known IndexKind, is ${message.kind}`);
  const { quantization = IndexQuantization.UNSPECIFIED } = message;
  if (quantization !== IndexQuantization.UNSPECIFIED && !QUANTIZATIONS.has(quantization))
    checks.add(`${field}.quantization`, `must be a known IndexQuantization, is ${quantization}`);
  const wanted = message.maintenance ?? IndexMaintenance.UNSPECIFIED;
  if (wanted !== IndexMaintenance.UNSPECIFIED && !MAINTENANCES.has(wanted))
    checks.add(`${field}.maintenance`, `must be a known IndexMaintenance, is ${wanted}`);
  const policy: IndexPolicy = {
    kind: kind ?? "auto",
    m: message.m || undefined,
    efConstruction: message.efConstruction || undefined,
    lists: message.lists || undefined,
    quantization: QUANTIZATIONS.get(quantization),
    maintenance: MAINTENANCES.get(wanted) ?? maintenance,
    minRows: Number(message.minRows ?? 0n) || undefined,
    indexName: message.indexName || undefined,
  };
  for (const problem of policyProblems(policy)) checks.add(`${field}.${problem.field}`, problem.description);
  return policy;
}

/** Undefined for an empty id. */
export function readSpace(id: string, field: string, checks: FieldChecks): EmbeddingSpace | undefined {
  if (id === "") return undefined;
  checkText(checks, field, id, { maxCharacters: MAX_SPACE_ID_CHARACTERS });
  const space = parseSpaceId(id);
  if (!space) checks.add(field, `must have the form ${SPACE_ID_FORM}`);
  return space;
}

/** Undefined for an empty one, which is none. */
export function readTextSearchConfig(
  value: string | undefined,
  field: string,
  checks: FieldChecks,
): string | undefined {
  const config = value ?? DEFAULT_TEXT_SEARCH_CONFIG;
  checkText(checks, field, config, { maxCharacters: 2 * MAX_IDENTIFIER_BYTES + 1 });
  return config || undefined;
}

export function readTable(
  message: TableReferenceMessage | undefined,
  field: string,
  checks: FieldChecks,
): TableReference {
  const { schema = "", table = "", keyColumn = "", vectorColumn = "", documentColumn = "" } = message ?? {};
  const identifier = (name: string, value: string, required = false): void => {
    checkText(checks, `${field}.${name}`, value, { required });
    const bytes = Buffer.byteLength(value);
    if (bytes > MAX_IDENTIFIER_BYTES)
      checks.add(`${field}.${name}`, `must be at most ${MAX_IDENTIFIER_BYTES} bytes of UTF-8, has ${bytes}`);
  };
  identifier("schema", schema);
  identifier("table", table, true);
  identifier("key_column", keyColumn);
  identifier("vector_column", vectorColumn);
  identifier("document_column", documentColumn);
  if (keyColumn !== "" && keyColumn === vectorColumn)
    checks.add(`${field}.vector_column`, "must be another column than key_column");
  return { schema, table, keyColumn, vectorColumn, documentColumn };
}
