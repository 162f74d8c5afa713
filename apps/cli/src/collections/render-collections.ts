import { timestampDate } from "@bufbuild/protobuf/wkt";
import {
  CollectionKind,
  type Collection,
  type GetCollectionStatisticsResponse,
  type IndexPolicy,
  type VectorIndex,
} from "@kindred/contracts/vector-store/v1";
import { formatAgo, formatBytes, formatCount } from "../terminal/format.ts";
import { renderPairs, renderTable, type Pair } from "../terminal/table.ts";
import type { Terminal } from "../terminal/terminal.ts";
import { METRICS } from "../vectors/search-request.ts";
import { ELEMENT_TYPES, INDEX_KINDS } from "./collection-options.ts";

type Statistics = GetCollectionStatisticsResponse;

const KINDS: Record<CollectionKind, string> = {
  [CollectionKind.UNSPECIFIED]: "",
  [CollectionKind.IMAGES]: "images",
  [CollectionKind.MANAGED]: "managed",
  [CollectionKind.REGISTERED]: "registered",
};

/** @param statistics of each collection; undefined for one that did not give them */
export function renderCollections(
  terminal: Terminal,
  collections: readonly Collection[],
  statistics: readonly (Statistics | undefined)[],
): string {
  return renderTable(
    terminal,
    [
      { title: "name" },
      { title: "kind" },
      { title: "rows", align: "right" },
      { title: "size", align: "right" },
      { title: "vectors" },
      { title: "metric" },
      { title: "searches" },
      { title: "space", shrinks: true },
    ],
    collections.map((collection, i) => {
      const known = statistics[i];
      return [
        collection.name,
        KINDS[collection.kind] ?? "",
        known ? rowsText(known) : "?",
        known ? formatBytes(known.tableSizeBytes + known.indexSizeBytes) : "?",
        vectorsText(collection),
        nameOf(METRICS, collection.metric),
        known?.plan ?? "?",
        collection.spaceId,
      ];
    }),
  );
}

export function renderCollection(
  terminal: Terminal,
  collection: Collection,
  statistics?: Statistics,
): string {
  const { spaceId, recallTarget, textSearchConfig, createdAt } = collection;
  const pairs: Pair[] = [
    ["name", collection.name],
    ["kind", KINDS[collection.kind] ?? ""],
    ["vectors", vectorsText(collection)],
    ["metric", nameOf(METRICS, collection.metric)],
    ["space", spaceId === "" ? "none yet" : spaceId],
    ["recall target", String(recallTarget)],
    ["index policy", policyText(collection.indexPolicy)],
    ["text search", textSearchConfig === "" ? "none" : textSearchConfig],
    ["table", tableText(collection)],
    ...(createdAt ? [["created", timestampDate(createdAt).toLocaleString("sv-SE")] as const] : []),
  ];
  const described = renderPairs(terminal, pairs);
  return statistics ? `${described}\n\n${renderStatistics(terminal, statistics)}` : described;
}

export function renderStatistics(terminal: Terminal, statistics: Statistics): string {
  const { rows, indexedRows, deadTuples, tableSizeBytes, indexSizeBytes, plan, lastAnalyzedAt, indexes } =
    statistics;
  const pairs = renderPairs(terminal, [
    ["rows", rowsText(statistics)],
    ["indexed rows", `${formatCount(indexedRows)}${rows > 0n ? ` (${sharesOf(indexedRows, rows)})` : ""}`],
    ["dead rows", formatCount(deadTuples)],
    ["size", `table ${formatBytes(tableSizeBytes)}, indexes ${formatBytes(indexSizeBytes)}`],
    ["searches", PLANS[plan] ?? plan],
    ["analyzed", lastAnalyzedAt ? formatAgo(timestampDate(lastAnalyzedAt), new Date()) : "never"],
  ]);
  return indexes.length === 0
    ? `${pairs}\n ${terminal.colors.dim("no vector index")}`
    : `${pairs}\n\n${renderIndexes(terminal, indexes)}`;
}

const PLANS: Record<string, string> = {
  exact: "exact: compare every row",
  hnsw: "hnsw: scan the HNSW index",
  ivfflat: "ivfflat: scan the IVFFlat index",
  in_process: "in_process: the store compares every row itself (no pgvector)",
};

export function renderIndexes(terminal: Terminal, indexes: readonly VectorIndex[]): string {
  return renderTable(
    terminal,
    [
      { title: "name" },
      { title: "method" },
      { title: "operator class" },
      { title: "parameters" },
      { title: "valid" },
      { title: "size", align: "right" },
    ],
    indexes.map((index) => [
      index.name,
      index.method,
      index.operatorClass,
      Object.entries(index.parameters)
        .map(([name, value]) => `${name}=${value}`)
        .join(" "),
      index.valid ? "yes" : "no",
      formatBytes(index.sizeBytes),
    ]),
  );
}

function rowsText({ rows, estimated }: Statistics): string {
  return `${estimated ? "~" : ""}${formatCount(rows)}`;
}

/** Of rows, one of which may be an estimate. */
function sharesOf(part: bigint, whole: bigint): string {
  return `${Math.min(100, Math.round((100 * Number(part)) / Number(whole)))} %`;
}

function vectorsText({ dimensions, elementType, storedAsJson }: Collection): string {
  const type = nameOf(ELEMENT_TYPES, elementType) || "vector";
  return `${type}(${dimensions})${storedAsJson ? ", as JSON" : ""}`;
}

function policyText(policy: IndexPolicy | undefined): string {
  if (!policy) return "auto";
  const { kind, m, efConstruction, lists } = policy;
  const parameters = Object.entries({ m, ef_construction: efConstruction, lists })
    .filter(([, value]) => value !== 0)
    .map(([name, value]) => `${name}=${value}`);
  return [nameOf(INDEX_KINDS, kind) || "auto", ...parameters].join(" ");
}

function tableText({ table }: Collection): string {
  if (!table) return "";
  const { schema, keyColumn, vectorColumn, documentColumn } = table;
  const columns = [
    `key ${keyColumn}`,
    `vector ${vectorColumn}`,
    ...(documentColumn ? [`document ${documentColumn}`] : []),
  ];
  return `${schema ? `${schema}.` : ""}${table.table} (${columns.join(", ")})`;
}

function nameOf(names: Readonly<Record<string, number>>, value: number): string {
  return Object.entries(names).find(([, known]) => known === value)?.[0] ?? "";
}
