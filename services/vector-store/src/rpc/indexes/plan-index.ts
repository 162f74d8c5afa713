import type { MessageInitShape } from "@bufbuild/protobuf";
import { durationFromMs } from "@bufbuild/protobuf/wkt";
import type { HandlerContext } from "@connectrpc/connect";
import {
  PreflightOutcome,
  type IndexForecastSchema,
  type IndexSpecSchema,
  type PlanIndexRequest,
} from "@kindred/contracts/vector-store/v1";
import { startChecks } from "@kindred/rpc";
import { COLLECTION } from "../../domain/collection.ts";
import type {
  IndexBuilding,
  IndexForecast,
  IndexPlanner,
  PreflightCheck,
} from "../../domain/indexes/index-ports.ts";
import type { IndexSpec } from "../../domain/indexes/index-spec.ts";
import type { CollectionRepository } from "../../domain/item-ports.ts";
import { readIndexName, readName, readRecallTarget } from "../collections/collection-fields.ts";
import { INDEX_KIND_MESSAGES, METRIC_MESSAGES, QUANTIZATION_MESSAGES } from "../collections/enums.ts";
import { limitsOf } from "../limits.ts";
import { readIndexWish } from "./index-wish.ts";

/** More than any server's table. */
const MOST_ROWS = 10n ** 12n;

const OUTCOMES: Record<PreflightCheck["outcome"], PreflightOutcome> = {
  passed: PreflightOutcome.PASSED,
  warning: PreflightOutcome.WARNING,
  failed: PreflightOutcome.FAILED,
  unknown: PreflightOutcome.UNKNOWN,
};

export function planIndexRpc(deps: {
  collections: Pick<CollectionRepository, "get">;
  planner: IndexPlanner;
  building: Pick<IndexBuilding, "preflight">;
}) {
  return async (request: PlanIndexRequest, context: HandlerContext) => {
    const checks = startChecks();
    const name = request.collection === "" ? COLLECTION : readName(request.collection, "collection", checks);
    const wish = readIndexWish(request.spec, "spec", checks);
    readIndexName(request.spec?.indexName, "spec.index_name", checks);
    if (request.recallTarget !== undefined) readRecallTarget(request.recallTarget, "recall_target", checks);
    if (request.rows < 0n || request.rows > MOST_ROWS)
      checks.add("rows", `must be 1 to ${MOST_ROWS}, or 0 for as many as there are; is ${request.rows}`);
    checks.throwIfAny();
    const limits = limitsOf(context);
    const collection = await deps.collections.get(name);
    const plan = await deps.planner.plan(
      collection,
      wish,
      {
        recallTarget: request.recallTarget ?? collection.recallTarget,
        rows: request.rows === 0n ? undefined : Number(request.rows),
        calibrate: request.calibrate,
      },
      limits,
    );
    const preflight = plan.chosen ? await deps.building.preflight(collection, plan.chosen, limits) : [];
    return {
      ...(plan.chosen && { chosen: toForecastMessage(plan.chosen) }),
      alternatives: plan.alternatives.map(toForecastMessage),
      reasons: [...plan.reasons],
      preflight: preflight.map(({ outcome, ...check }) => ({ ...check, outcome: OUTCOMES[outcome] })),
      rows: BigInt(Math.round(plan.rows)),
    };
  };
}

function toForecastMessage(forecast: IndexForecast): MessageInitShape<typeof IndexForecastSchema> {
  const { spec, sizeBytes, buildMemoryBytes, buildMs, calibrated, reasons } = forecast;
  return {
    spec: toSpecMessage(spec),
    sizeBytes: BigInt(sizeBytes),
    buildMemoryBytes: BigInt(buildMemoryBytes),
    buildTime: durationFromMs(Math.round(buildMs)),
    calibrated,
    reasons: [...reasons],
  };
}

/** vectorscale's numbers stay 0 where they are left to it. */
function toSpecMessage(spec: IndexSpec): MessageInitShape<typeof IndexSpecSchema> {
  const { method, quantization, metric, ...numbers } = spec;
  return {
    kind: INDEX_KIND_MESSAGES[method],
    quantization: QUANTIZATION_MESSAGES[quantization],
    metric: METRIC_MESSAGES[metric],
    ...Object.fromEntries(Object.entries(numbers).filter(([, value]) => value !== undefined)),
  };
}
