import type { ServiceImpl } from "@connectrpc/connect";
import type { RecallService } from "@kindred/contracts/vector-store/v1";
import type { CollectionRepository } from "../../domain/item-ports.ts";
import type { OperationStore } from "../../domain/operations/operation.ts";
import type { MeasureRecall } from "../../domain/recall/measure-recall.ts";
import type { RecallProbe } from "../../domain/recall/recall-ports.ts";
import type { RecallStore } from "../../domain/recall/recall.ts";
import { getRecallCurvesRpc } from "./get-recall-curves.ts";
import { listRecallEventsRpc } from "./list-recall-events.ts";
import { listRecallMeasurementsRpc } from "./list-recall-measurements.ts";
import { measureRecallRpc } from "./measure-recall.ts";
import { startRecallTuningRpc } from "./start-recall-tuning.ts";

export interface RecallDeps {
  collections: CollectionRepository;
  operations: OperationStore;
  recall: RecallStore;
  recallProbe: RecallProbe;
  measureRecall: MeasureRecall;
}

export function recallRoutes(deps: RecallDeps): ServiceImpl<typeof RecallService> {
  return {
    measureRecall: measureRecallRpc(deps),
    listRecallMeasurements: listRecallMeasurementsRpc(deps),
    startRecallTuning: startRecallTuningRpc(deps),
    getRecallCurves: getRecallCurvesRpc(deps),
    listRecallEvents: listRecallEventsRpc(deps),
  };
}
