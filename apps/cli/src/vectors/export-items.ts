import type { MessageInitShape } from "@bufbuild/protobuf";
import type { ExportRequestSchema, ItemBatch } from "@kindred/contracts/vector-store/v1";
import { delayBefore, isPassing } from "@kindred/rpc";
import { letGo, translated, type Clients } from "../clients.ts";
import { Patience, type PatienceDeps } from "../patience.ts";

export interface ExportDeps extends PatienceDeps {
  client: Pick<Clients["vectors"], "export">;
}

/** An export takes as long as it takes; --timeout is for calls that answer at once. */
const EXPORT_TIMEOUT_MS = 24 * 3_600_000;

/**
 * All items by ascending key. When the stream breaks for a reason that passes, another one goes on behind the last key; that one
 * sees what was changed meanwhile.
 * @throws KindredError, or the signal's reason
 */
export async function* exportItems(
  request: MessageInitShape<typeof ExportRequestSchema>,
  deps: ExportDeps,
  options: { patienceMs: number; signal: AbortSignal },
): AsyncGenerator<ItemBatch> {
  const patience = new Patience(deps, options.patienceMs);
  let afterKey = "";
  let attempt = 0;
  for (;;) {
    const over = new AbortController();
    const signal = AbortSignal.any([options.signal, over.signal]);
    const stream = deps.client.export({ ...request, afterKey }, { signal, timeoutMs: EXPORT_TIMEOUT_MS });
    const replies = stream[Symbol.asyncIterator]();
    try {
      for (;;) {
        const next = await translated(() => replies.next());
        if (next.done) return;
        patience.renew();
        attempt = 0;
        const { items } = next.value;
        if (!items || items.keys.length === 0) continue;
        yield items;
        afterKey = items.keys.at(-1) as string;
      }
    } catch (error) {
      options.signal.throwIfAborted();
      if (!isPassing(error) || patience.isOver(error)) throw error;
      await deps.sleep(delayBefore(attempt, error), options.signal);
      attempt += 1;
    } finally {
      letGo(over, replies);
    }
  }
}
