import type { HandlerContext } from "@connectrpc/connect";
import type { WatchMetricsRequest } from "@kindred/contracts/metrics/v1";
import { startChecks } from "@kindred/rpc";
import type { LiveSamples } from "../domain/live-samples.ts";
import { readComponents } from "./read-components.ts";
import { toSampleMessage } from "./sample-messages.ts";

const MAX_BACKLOG_MINUTES = 60;

export function watchMetricsRpc({ live }: { live: LiveSamples }) {
  return async function* (request: WatchMetricsRequest, context: Pick<HandlerContext, "signal">) {
    const checks = startChecks();
    const components = readComponents(request.components, checks);
    const { backlogMinutes } = request;
    if (backlogMinutes < 0 || backlogMinutes > MAX_BACKLOG_MINUTES)
      checks.add("backlog_minutes", `must be 0 to ${MAX_BACKLOG_MINUTES}, is ${backlogMinutes}`);
    checks.throwIfAny();
    for await (const batch of live.watch({ components, backlogMinutes, signal: context.signal }))
      yield { samples: batch.samples.map(toSampleMessage), dropped: BigInt(batch.dropped) };
  };
}
