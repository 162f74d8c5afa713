import { pageTokens } from "@kindred/page-tokens";
import type { CallLimits } from "../ports.ts";
import type { RecallEvent, RecallMeasurement, RecallStore } from "./recall.ts";

/** Which of the lists about recall. */
interface RecallList {
  of: "measurements" | "events";
  collection: string | undefined;
  indexName: string | undefined;
}

const tokens = pageTokens({ name: "recall", position: ["integer"] });

interface Page<T> {
  found: T[];
  nextPageToken: string;
}

interface PageRequest {
  /** At least 1. */
  pageSize: number;
  pageToken: string;
}

/** One page of measurements, the latest first. @throws KindredError invalid-argument on `page_token` */
export function listMeasurements(
  { recall }: { recall: Pick<RecallStore, "measurements"> },
  list: { collection: string; indexName: string | undefined },
  page: PageRequest,
  limits: CallLimits,
): Promise<Page<RecallMeasurement>> {
  return readPage({ of: "measurements", ...list }, page, (range) =>
    recall.measurements({ ...list, ...range }, limits),
  );
}

/** One page of events, the latest first. @throws KindredError invalid-argument on `page_token` */
export function listEvents(
  { recall }: { recall: Pick<RecallStore, "events"> },
  collection: string | undefined,
  page: PageRequest,
  limits: CallLimits,
): Promise<Page<RecallEvent>> {
  return readPage({ of: "events", collection, indexName: undefined }, page, (range) =>
    recall.events({ collection, ...range }, limits),
  );
}

async function readPage<T extends { id: bigint }>(
  list: RecallList,
  { pageSize, pageToken }: PageRequest,
  read: (range: { beforeId: bigint | undefined; limit: number }) => Promise<T[]>,
): Promise<Page<T>> {
  const [beforeId] = tokens.open(list, pageToken) ?? [];
  // One more than asked for: it tells whether there is a next page.
  const rows = await read({ beforeId, limit: pageSize + 1 });
  const found = rows.slice(0, pageSize);
  const last = found.at(-1);
  return {
    found,
    nextPageToken: rows.length > pageSize && last ? tokens.seal(list, [last.id]) : "",
  };
}
