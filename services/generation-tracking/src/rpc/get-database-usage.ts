import type { MessageInitShape } from "@bufbuild/protobuf";
import type { HandlerContext } from "@connectrpc/connect";
import type { DatabaseUsageSchema } from "@kindred/contracts/common/v1";
import type { GetDatabaseUsageRequest } from "@kindred/contracts/generation-tracking/v1";

export interface UsageDeps {
  usage(limits: {
    signal: AbortSignal;
    timeoutMs: number | undefined;
  }): Promise<MessageInitShape<typeof DatabaseUsageSchema>>;
}

export function getDatabaseUsageRpc(deps: UsageDeps) {
  return async (_: GetDatabaseUsageRequest, context: Pick<HandlerContext, "signal" | "timeoutMs">) => {
    const left = context.timeoutMs();
    return {
      usage: await deps.usage({
        signal: context.signal,
        // 0 would mean "without limit".
        timeoutMs: left === undefined ? undefined : Math.max(1, Math.ceil(left)),
      }),
    };
  };
}
