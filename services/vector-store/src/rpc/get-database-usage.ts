import type { MessageInitShape } from "@bufbuild/protobuf";
import type { HandlerContext } from "@connectrpc/connect";
import type { DatabaseUsageSchema } from "@kindred/contracts/common/v1";
import type { GetDatabaseUsageRequest } from "@kindred/contracts/vector-store/v1";
import type { CallLimits } from "../domain/ports.ts";
import { limitsOf } from "./limits.ts";

export interface UsageDeps {
  usage(limits: CallLimits): Promise<MessageInitShape<typeof DatabaseUsageSchema>>;
}

export function getDatabaseUsageRpc(deps: UsageDeps) {
  return async (_: GetDatabaseUsageRequest, context: HandlerContext) => ({
    usage: await deps.usage(limitsOf(context)),
  });
}
