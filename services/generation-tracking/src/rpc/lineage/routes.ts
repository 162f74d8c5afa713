import type { ConnectRouter } from "@connectrpc/connect";
import { LineageService } from "@kindred/contracts/generation-tracking/v1";
import type { GenerationStore } from "../../domain/generation-store.ts";
import type { ExampleSource, LineageStore } from "../../domain/lineage/ports.ts";
import { diffGenerationsRpc } from "./diff-generations.ts";
import { getLineageRpc } from "./get-lineage.ts";
import { listImageUsesRpc } from "./list-image-uses.ts";
import { listOutputsRpc } from "./list-outputs.ts";
import { replayRetrievalRpc } from "./replay-retrieval.ts";
import { reportOutputsRpc } from "./report-outputs.ts";

export interface LineageDeps {
  store: Pick<GenerationStore, "find" | "findMany">;
  lineage: LineageStore;
  /** What retrievals are replayed in. */
  examples: ExampleSource;
}

export function addLineageService(router: ConnectRouter, deps: LineageDeps): void {
  router.service(LineageService, {
    getLineage: getLineageRpc(deps),
    listImageUses: listImageUsesRpc(deps),
    replayRetrieval: replayRetrievalRpc(deps),
    diffGenerations: diffGenerationsRpc(deps),
    listOutputs: listOutputsRpc(deps),
    reportOutputs: reportOutputsRpc(deps),
  });
}
