import { toJson, type JsonObject } from "@bufbuild/protobuf";
import { ValueSchema } from "@bufbuild/protobuf/wkt";
import {
  SearchMethod,
  SearchResponseSchema,
  type SearchHit,
  type SearchPlan,
  type SearchResponse,
} from "@kindred/contracts/vector-store/v1";
import { toPlain } from "../plain.ts";
import { formatMs, formatPercent, formatShare, millisecondsOf, plural } from "../terminal/format.ts";
import { renderTable, type Column } from "../terminal/table.ts";
import type { Terminal } from "../terminal/terminal.ts";
import { shortVector, storedVectorJson, type VectorShape } from "./vector-text.ts";

/** What was asked for, as far as the table depends on it. */
export interface SearchView {
  /** Of the images catalogue: hits are pictures. */
  images: boolean;
  hybrid: boolean;
  grouped: boolean;
  /** Of the vectors that the hits have; undefined when they have none. */
  shape: VectorShape | undefined;
}

const PLAIN_VIEW: SearchView = { images: true, hybrid: false, grouped: false, shape: undefined };

/** The hits as a table, and in one line how they were found. */
export function renderSearch(
  terminal: Terminal,
  reply: SearchResponse,
  elapsedMs: number,
  view: SearchView = PLAIN_VIEW,
): string {
  const { colors } = terminal;
  const table =
    reply.hits.length === 0
      ? ` ${colors.dim(`no ${view.images ? "picture" : "item"} was found`)}`
      : renderTable(
          terminal,
          columnsOf(view),
          reply.hits.map((hit, i) => rowOf(hit, i + 1, view)),
        );
  // The way out: --exact, or a larger --ef-search.
  const warning =
    reply.plan?.complete === false ? ` · ${colors.yellow("there may be more hits than these")}` : "";
  return `${table}\n ${colors.dim(describeReply(reply, elapsedMs))}${warning}`;
}

function columnsOf({ images, hybrid, grouped, shape }: SearchView): Column[] {
  return [
    { title: "#", align: "right" },
    ...(grouped ? [{ title: "group" }] : []),
    ...(hybrid
      ? [
          { title: "score", align: "right" as const },
          { title: "text rank", align: "right" as const },
        ]
      : []),
    { title: "similarity", align: "right" },
    { title: images ? "image_path" : "key" },
    ...(shape ? [{ title: "vector" }] : []),
    { title: images ? "caption" : "item", shrinks: true },
  ];
}

function rowOf(hit: SearchHit, rank: number, { images, hybrid, grouped, shape }: SearchView): string[] {
  return [
    String(rank),
    ...(grouped ? [groupText(hit)] : []),
    ...(hybrid ? [hit.fusedScore.toFixed(4), hit.textRank === 0 ? "" : String(hit.textRank)] : []),
    hit.similarity.toFixed(4),
    images ? (hit.image?.imagePath ?? "") : hit.key,
    ...(shape ? [hit.vector.length > 0 ? shortVector(hit.vector, shape) : ""] : []),
    images ? captionOf(hit) : describeItem(hit),
  ];
}

function groupText({ group }: SearchHit): string {
  if (!group) return "";
  const value = toJson(ValueSchema, group);
  return typeof value === "string" ? value : JSON.stringify(value);
}

/** The text that was nearest, or else what is known of the picture. */
export function captionOf(hit: SearchHit): string {
  const text = hit.metadata?.["text"];
  return typeof text === "string" ? text : (hit.image?.description ?? "");
}

/** What an item says of itself: its text, and its metadata as JSON. */
export function describeItem({
  document,
  metadata,
}: {
  document: string;
  metadata?: JsonObject | undefined;
}): string {
  const data = metadata && Object.keys(metadata).length > 0 ? JSON.stringify(metadata) : "";
  return [document, data].filter((part) => part !== "").join("  ");
}

function describeReply({ hits, plan, timings }: SearchResponse, elapsedMs: number): string {
  const parts = [["embed", timings?.embed] as const, ["database", timings?.database] as const].flatMap(
    ([name, time]) => (time ? [`${name} ${formatMs(millisecondsOf(time))}`] : []),
  );
  return [
    plural(hits.length, "hit"),
    ...(plan ? describePlan(plan) : []),
    `${formatMs(elapsedMs)}${parts.length > 0 ? ` (${parts.join(", ")})` : ""}`,
  ]
    .filter((part) => part !== "")
    .join(" · ");
}

/** How a search is answered, in a few words each. */
export function describePlan(plan: SearchPlan): string[] {
  const { method, indexName, efSearch, probes, rowsScanned, matchingRows, textMethod, iterative } = plan;
  const how: Record<SearchMethod, string> = {
    [SearchMethod.UNSPECIFIED]: "",
    [SearchMethod.EXACT]: "exact: every row compared",
    [SearchMethod.HNSW]: `HNSW index ${indexName}, ef_search ${efSearch}`,
    [SearchMethod.IVFFLAT]: `IVFFlat index ${indexName}, probes ${probes}`,
    [SearchMethod.DISKANN]: `DiskANN index ${indexName}, search list of ${plan.searchListSize}`,
    [SearchMethod.EXACT_FALLBACK]: `exact, because index ${indexName} gave too few rows under the filter`,
    [SearchMethod.IN_PROCESS]: "exact, by the store itself (no pgvector)",
  };
  // Every matching row was counted where every matching row was compared.
  const comparesAll = indexName === "";
  return [
    `${how[method] ?? ""}${iterative ? ", further under the filter until there are enough" : ""}`,
    rowsScanned > 0n ? `${plural(rowsScanned, "row")} compared` : "",
    matchingRows === undefined
      ? ""
      : `${comparesAll ? "" : "at least "}${plural(matchingRows, "row")} under the filter`,
    plan.filterSelectivity === undefined
      ? ""
      : `about ${formatPercent(plan.filterSelectivity)} of the rows pass the filter`,
    recallText(plan),
    quantizationText(plan),
    textMethod === "" ? "" : `documents: ${textMethod}`,
    plan.replica ? "by a read replica" : "",
  ].filter((part) => part !== "");
}

/** What share of the true hits is to be expected; nothing where every row is compared, and where nobody asked or measured. */
function recallText({ indexName, expectedRecall, recallTarget }: SearchPlan): string {
  if (indexName === "" || (expectedRecall === 0 && recallTarget === 0)) return "";
  const target = recallTarget === 0 ? "" : ` (target ${formatShare(recallTarget)})`;
  return expectedRecall === 0
    ? `recall not measured yet${target}`
    : `recall ${formatShare(expectedRecall)} expected${target}`;
}

function quantizationText({ quantization, reranked }: SearchPlan): string {
  const held: Record<string, string> = { halfvec: "16-bit floats", binary: "one bit a number" };
  const again = reranked > 0 ? `${plural(reranked, "candidate")} compared again` : "";
  return [held[quantization] ?? "", again].filter((part) => part !== "").join(", ");
}

/** The reply for programs: as its message is, with vectors as numbers, or left out where none was asked for. */
export function plainSearch(reply: SearchResponse, shape: VectorShape | undefined): JsonObject {
  const plain = toPlain(SearchResponseSchema, reply);
  const hits = (plain["hits"] as JsonObject[]).map((plainHit, i) => {
    const { vector } = reply.hits[i] as SearchHit;
    const { vector: _bytes, ...hit } = plainHit;
    return shape && vector.length > 0
      ? { ...hit, vector: JSON.parse(storedVectorJson(vector, shape)) as number[] }
      : hit;
  });
  return { ...plain, hits };
}
