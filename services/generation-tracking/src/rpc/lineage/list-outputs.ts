import type { ListOutputsRequest } from "@kindred/contracts/generation-tracking/v1";
import { startChecks } from "@kindred/rpc";
import { listOutputs } from "../../domain/lineage/list-outputs.ts";
import type { LineageStore } from "../../domain/lineage/ports.ts";
import { toOutputMessage } from "../messages.ts";
import { checkId, readOutputState } from "./messages.ts";

const DEFAULT_PAGE_SIZE = 1000;
const MAX_PAGE_SIZE = 10_000;

export function listOutputsRpc(deps: { lineage: Pick<LineageStore, "outputs"> }) {
  return async (request: ListOutputsRequest) => {
    const { generationId, pageToken } = request;
    const checks = startChecks();
    if (generationId !== undefined) checkId("generation_id", generationId, checks);
    const state = readOutputState("state", request.state, checks);
    const pageSize = checks.count("page_size", request.pageSize, {
      max: MAX_PAGE_SIZE,
      zero: DEFAULT_PAGE_SIZE,
    });
    checks.throwIfAny();
    const page = await listOutputs(deps, { generationId, state, pageSize, pageToken });
    return {
      outputs: page.outputs.map(({ generationId: id, position, output }) => ({
        generationId: id,
        position,
        output: toOutputMessage(output),
      })),
      nextPageToken: page.nextPageToken,
    };
  };
}
