import type { HandlerContext } from "@connectrpc/connect";
import type { MeasureRecallRequest } from "@kindred/contracts/vector-store/v1";
import { startChecks, type FieldChecks } from "@kindred/rpc";
import type { CollectionRepository } from "../../domain/item-ports.ts";
import type { MeasureRecall, MeasurementWish } from "../../domain/recall/measure-recall.ts";
import { readRecallTarget } from "../collections/collection-fields.ts";
import { limitsOf } from "../limits.ts";
import { toMeasurementMessage } from "./messages.ts";
import {
  readCollectionName,
  readIndexName,
  readMaxDuration,
  readOrigin,
  readQueries,
} from "./read-recall.ts";

const QUERIES = { min: 10, max: 10_000, zero: 200 };
const DURATION = { maxMs: 3_600_000, notSet: 60_000 };
const DEPTH = { max: 100, zero: 10 };
/** pgvector's limit of lists; no other effort is larger. */
const MAX_EFFORT = 32_768;
const DEFAULT_CONFIDENCE = 0.95;
/** Of the time that the caller waits: the rest is for sampling before and keeping afterwards. */
const SHARE_OF_DEADLINE = 0.8;

export function measureRecallRpc({
  collections,
  measureRecall,
}: {
  collections: Pick<CollectionRepository, "get">;
  measureRecall: MeasureRecall;
}) {
  return async (request: MeasureRecallRequest, context: HandlerContext) => {
    const checks = startChecks();
    const name = readCollectionName(request.collection, checks);
    const wish = readWish(request, checks);
    checks.throwIfAny();
    const limits = limitsOf(context);
    const maxMs = Math.min(wish.maxMs, SHARE_OF_DEADLINE * (limits.timeoutMs ?? Infinity));
    const measurement = await measureRecall(await collections.get(name), { ...wish, maxMs }, limits);
    return { measurement: toMeasurementMessage(measurement) };
  };
}

function readWish(request: MeasureRecallRequest, checks: FieldChecks): MeasurementWish {
  const { effort, filterSelectivity, confidence = DEFAULT_CONFIDENCE, recallTarget } = request;
  if (effort < 0 || effort > MAX_EFFORT) {
    checks.add("effort", `must be 1 to ${MAX_EFFORT}, or 0 for what the target needs; is ${effort}`);
  }
  if (!(filterSelectivity >= 0 && filterSelectivity <= 1)) {
    checks.add("filter_selectivity", `must be 0 to 1, is ${filterSelectivity}`);
  }
  if (!(confidence > 0.5 && confidence < 1)) {
    checks.add("confidence", `must be above 0.5 and below 1, is ${confidence}`);
  }
  if (recallTarget !== undefined) readRecallTarget(recallTarget, "recall_target", checks);
  if (effort > 0 && recallTarget !== undefined) {
    checks.add("recall_target", "has no meaning beside effort: name one of them");
  }
  return {
    indexName: readIndexName(request.indexName, checks),
    k: checks.count("k", request.k, DEPTH),
    effort: effort === 0 ? undefined : effort,
    recallTarget,
    queries: readQueries(request.queries, QUERIES, checks),
    origin: readOrigin(request.source, checks),
    selectivity: filterSelectivity === 0 ? 1 : filterSelectivity,
    maxMs: readMaxDuration(request.maxDuration, DURATION, checks),
    confidence,
  };
}
