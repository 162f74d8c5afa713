import { fromJson } from "@bufbuild/protobuf";
import { ValueSchema } from "@bufbuild/protobuf/wkt";
import type { DiffGenerationsRequest } from "@kindred/contracts/generation-tracking/v1";
import { startChecks } from "@kindred/rpc";
import { diffGenerations } from "../../domain/lineage/diff-generations.ts";
import type { GenerationStore } from "../../domain/generation-store.ts";
import { checkId } from "./messages.ts";

export function diffGenerationsRpc(deps: { store: Pick<GenerationStore, "findMany"> }) {
  return async ({ leftId, rightId }: DiffGenerationsRequest) => {
    const checks = startChecks();
    checkId("left_id", leftId, checks);
    checkId("right_id", rightId, checks);
    checks.throwIfAny();
    const { differences, equal } = await diffGenerations(deps, leftId, rightId);
    return {
      differences: differences.map(({ path, left, right }) => ({
        path,
        ...(left !== undefined && { left: fromJson(ValueSchema, left) }),
        ...(right !== undefined && { right: fromJson(ValueSchema, right) }),
      })),
      equal,
    };
  };
}
