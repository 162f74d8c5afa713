import { timestampDate } from "@bufbuild/protobuf/wkt";
import {
  CollectionKind,
  type Collection,
  type GetCollectionStatisticsResponse,
  type IndexPolicy,
} from "@kindred/contracts/vector-store/v1";
import { formatAgo, formatBytes, formatCount, plural } from "../terminal/format.ts";
import { renderPairs, renderTable, type Pair } from "../terminal/table.ts";
import type { Terminal } from "../terminal/terminal.ts";
import { METRICS } from "../vectors/search-request.ts";
import { ELEMENT_TYPES, INDEX_KINDS, MAINTENANCES, nameOf, QUANTIZATIONS } from "./collection-options.ts";
import { renderIndexes } from "../indexes/render-indexes.ts";

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
  const { spaceId, textSearchConfig, createdAt, hashPartitions, reembeddingSpaceId } = collection;
  const pairs: Pair[] = [
    ["name", collection.name],
    ["kind", KINDS[collection.kind] ?? ""],
    ["vectors", vectorsText(collection)],
    ["metric", nameOf(METRICS, collection.metric)],
    ["space", spaceId === "" ? "none yet" : spaceId],
    ...policyPairs(collection),
    ...(hashPartitions > 0 ? [["partitions", `${hashPartitions}, by a hash of the key`] as const] : []),
    ...(reembeddingSpaceId === "" ? [] : [["moving into", reembeddingSpaceId] as const]),
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
  diskann: "diskann: scan the DiskANN index",
  in_process: "in_process: the store compares every row itself (no pgvector)",
};

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
  const quantization = nameOf(QUANTIZATIONS, policy.quantization);
  const parameters = Object.entries({ m, ef_construction: efConstruction, lists })
    .filter(([, value]) => value !== 0)
    .map(([name, value]) => `${name}=${value}`);
  return [
    nameOf(INDEX_KINDS, kind) || "auto",
    quantization === "auto" || quantization === "none" ? "" : quantization,
    ...parameters,
    policy.indexName === "" ? "" : `name=${policy.indexName}`,
  ]
    .filter((part) => part !== "")
    .join(" ");
}

/** Who sees to the index; nothing where the service does not say. */
function maintenanceText(policy: IndexPolicy | undefined): string {
  switch (nameOf(MAINTENANCES, policy?.maintenance ?? 0)) {
    case "automatic": {
      const from = policy && policy.minRows > 0n ? `, from ${plural(policy.minRows, "row")} on` : "";
      return `automatic: the store builds, tunes and rebuilds${from}`;
    }
    case "manual":
      return "manual: the store only advises (kindred index advise)";
    default:
      return "";
  }
}

/** What the index of a collection should be like, and for which recall. */
export function renderPolicy(terminal: Terminal, collection: Collection): string {
  return renderPairs(terminal, [["collection", collection.name], ...policyPairs(collection)]);
}

function policyPairs({ recallTarget, indexPolicy }: Collection): Pair[] {
  const maintenance = maintenanceText(indexPolicy);
  return [
    ["recall target", String(recallTarget)],
    ["index policy", policyText(indexPolicy)],
    ...(maintenance === "" ? [] : [["maintenance", maintenance] as const]),
  ];
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
