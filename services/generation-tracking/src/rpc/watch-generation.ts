import type { HandlerContext } from "@connectrpc/connect";
import type { WatchGenerationRequest } from "@kindred/contracts/generation-tracking/v1";
import { startChecks } from "@kindred/rpc";
import type { GenerationWatches } from "../domain/generation-watches.ts";
import { toGenerationMessage } from "./messages.ts";
import { readId } from "./read-id.ts";

export function watchGenerationRpc({ watches }: { watches: Pick<GenerationWatches, "watch"> }) {
  return async function* (request: WatchGenerationRequest, context: Pick<HandlerContext, "signal">) {
    const checks = startChecks();
    const id = readId(request.id, checks);
    checks.throwIfAny();
    for await (const generation of watches.watch(id, context.signal))
      yield { generation: toGenerationMessage(generation) };
    // Without this, a call that was broken off would look like a generation that has ended.
    context.signal.throwIfAborted();
  };
}
