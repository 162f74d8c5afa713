import type { HandlerContext } from "@connectrpc/connect";
import type { StartRecallTuningRequest } from "@kindred/contracts/vector-store/v1";
import { startChecks } from "@kindred/rpc";
import { countDown } from "../../domain/call-limits.ts";
import type { CollectionRepository } from "../../domain/item-ports.ts";
import type { OperationStore } from "../../domain/operations/operation.ts";
import type { RecallProbe } from "../../domain/recall/recall-ports.ts";
import { DEFAULT_TUNING, tuningSpec } from "../../domain/recall/tuning-operation.ts";
import { limitsOf } from "../limits.ts";
import { toOperationMessage } from "../operations/messages.ts";
import { checkText } from "../text-checks.ts";
import {
  readCollectionName,
  readIndexName,
  readMaxDuration,
  readOrigin,
  readQueries,
} from "./read-recall.ts";

const QUERIES = { min: 50, max: 10_000, zero: DEFAULT_TUNING.queries };
const DURATION = { maxMs: 24 * 3_600_000, notSet: DEFAULT_TUNING.maxMs };
const MAX_REQUEST_ID_CHARACTERS = 200;

export function startRecallTuningRpc({
  collections,
  operations,
  recallProbe,
}: {
  collections: Pick<CollectionRepository, "get">;
  operations: Pick<OperationStore, "start">;
  recallProbe: Pick<RecallProbe, "index">;
}) {
  return async (request: StartRecallTuningRequest, context: HandlerContext) => {
    const checks = startChecks();
    const name = readCollectionName(request.collection, checks);
    const wish = {
      indexName: readIndexName(request.indexName, checks),
      queries: readQueries(request.queries, QUERIES, checks),
      origin: readOrigin(request.source, checks),
      maxMs: readMaxDuration(request.maxDuration, DURATION, checks),
    };
    checkText(checks, "request_id", request.requestId, { maxCharacters: MAX_REQUEST_ID_CHARACTERS });
    checks.throwIfAny();
    const left = countDown(limitsOf(context));
    // What cannot be tuned is said at once, and not by an operation that fails.
    await recallProbe.index(await collections.get(name), wish.indexName, left());
    const operation = await operations.start(
      {
        kind: "recall-tuning",
        subject: name,
        spec: tuningSpec(wish),
        automatic: false,
        requestId: request.requestId === "" ? undefined : request.requestId,
      },
      left(),
    );
    return { operation: toOperationMessage(operation) };
  };
}
