import type { HandlerContext } from "@connectrpc/connect";
import type {
  NewTable as NewTableMessage,
  RegisterCollectionRequest,
} from "@kindred/contracts/vector-store/v1";
import { startChecks, type FieldChecks } from "@kindred/rpc";
import { MAX_DIMENSIONS, metricsOf } from "../../domain/collection.ts";
import { unfittingPolicy } from "../../domain/index-policy.ts";
import type {
  CollectionRepository,
  NewRegistration,
  NewTable,
  TableReference,
} from "../../domain/item-ports.ts";
import { limitsOf } from "../limits.ts";
import {
  DEFAULT_RECALL_TARGET,
  readIndexPolicy,
  readMetric,
  readName,
  readRecallTarget,
  readSpace,
  readTable,
  readTextSearchConfig,
} from "./collection-fields.ts";
import { ELEMENT_TYPES, KEY_TYPES } from "./enums.ts";
import { toCollectionMessage } from "./messages.ts";

export function registerCollectionRpc({
  collections,
}: {
  collections: Pick<CollectionRepository, "register">;
}) {
  return async (request: RegisterCollectionRequest, context: HandlerContext) => {
    const collection = await collections.register(readRegistration(request), limitsOf(context));
    return { collection: toCollectionMessage(collection) };
  };
}

function readRegistration(request: RegisterCollectionRequest): NewRegistration {
  const checks = startChecks();
  const table = readTable(request.table, "table", checks);
  if (request.textSearchConfig && table.documentColumn === "")
    checks.add("text_search_config", "has a meaning with table.document_column only");
  const registration: NewRegistration = {
    // A table without a name is told of already.
    name:
      request.name === "" && table.table === "" ? "" : readName(request.name || table.table, "name", checks),
    table,
    newTable: request.createTable && readNewTable(request.createTable, table, checks),
    metric: readMetric(request.metric, "metric", checks),
    space: readSpace(request.spaceId, "space_id", checks),
    recallTarget: readRecallTarget(request.recallTarget ?? DEFAULT_RECALL_TARGET, "recall_target", checks),
    indexPolicy: readIndexPolicy(request.indexPolicy, "index_policy", checks, "manual"),
    textSearchConfig: readTextSearchConfig(request.textSearchConfig, "text_search_config", checks),
  };
  checkFits(registration, checks);
  checks.throwIfAny();
  return registration;
}

/** Besides its key, its vectors and this one, a new table has no columns. */
const MADE_AT_COLUMN = "created_at";

function readNewTable(message: NewTableMessage, table: TableReference, checks: FieldChecks): NewTable {
  const elementType = ELEMENT_TYPES.get(message.elementType);
  if (!elementType)
    checks.add("create_table.element_type", `must be a known ElementType, is ${message.elementType}`);
  const keyType = KEY_TYPES.get(message.keyType);
  if (!keyType) checks.add("create_table.key_type", `must be a known KeyType, is ${message.keyType}`);
  const { dimensions } = message;
  const most = MAX_DIMENSIONS[elementType ?? "vector"];
  if (dimensions < 1 || dimensions > most) {
    checks.add(
      "create_table.dimensions",
      `must be 1 to ${most} for ${elementType ?? "vector"}, is ${dimensions}`,
    );
  }
  for (const [field, column] of Object.entries({
    key_column: table.keyColumn,
    vector_column: table.vectorColumn,
  })) {
    if (column === "") checks.add(`table.${field}`, "is required with create_table");
    if (column === MADE_AT_COLUMN)
      checks.add(`table.${field}`, `must be another name: the table has a column ${MADE_AT_COLUMN} besides`);
  }
  if (table.documentColumn !== "")
    checks.add("table.document_column", "must be empty with create_table: the table has no documents");
  return { dimensions, elementType: elementType ?? "vector", keyType: keyType ?? "integer" };
}

/** What is known before the table is looked at. */
function checkFits({ newTable, metric, space, indexPolicy }: NewRegistration, checks: FieldChecks): void {
  if (!newTable) return;
  const { dimensions, elementType } = newTable;
  const metrics = metricsOf(elementType);
  if (metric && !metrics.includes(metric))
    checks.add("metric", `must be one for ${elementType}: ${metrics.join(", ")}; is ${metric}`);
  if (space && space.dimensions !== dimensions)
    checks.add("create_table.dimensions", `must be ${space.dimensions} as in space_id, is ${dimensions}`);
  for (const { field, description } of unfittingPolicy(indexPolicy, newTable))
    checks.add(`index_policy.${field}`, description);
}
