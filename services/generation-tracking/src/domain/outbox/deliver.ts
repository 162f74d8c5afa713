import { isKindredError, KindredError, messageOf, type ErrorKind } from "@kindred/errors";
import type { Prompt, PromptCollection } from "../prompts/prompt-collection.ts";
import type { Setback } from "./outbox.ts";

/** Errors that no prompt can be blamed for: whoever sends it again later may succeed. */
const TROUBLE: ReadonlySet<ErrorKind> = new Set<ErrorKind>([
  "unavailable",
  "deadline-exceeded",
  "cancelled",
  "resource-exhausted",
  "aborted",
  "failed-precondition",
  "unimplemented",
  "not-found",
]);

/** As long as nothing was taken, so many calls that fail are enough to know that it is not for one prompt. */
const MOST_FAILURES_IN_VAIN = 16;

/** What became of prompts. Each of them is in one of the lists. */
export interface Delivery {
  taken: bigint[];
  /** Nobody will ever take them as they are. */
  refused: Setback[];
  /** The store failed over them alone, with an error that says nothing about prompts. */
  failed: Setback[];
  /** Not tried to the end. */
  left: bigint[];
  /** Why some are left; undefined when none is, or time was up. */
  trouble: KindredError | undefined;
}

/**
 * Sends prompts to the collection. Where a call fails over what is in it, halves of it are sent, down to the prompts that it fails over: one
 * bad prompt among n costs some 2 log2(n) calls, and holds nobody up.
 * @param until when to begin no more calls, on the clock of `now`
 */
export async function deliver(
  deps: { collection: Pick<PromptCollection, "store">; now: () => number },
  prompts: readonly Prompt[],
  options: { callTimeoutMs: number; until: number; signal: AbortSignal },
): Promise<Delivery> {
  const delivery: Delivery = { taken: [], refused: [], failed: [], left: [], trouble: undefined };
  const { signal, callTimeoutMs, until } = options;
  let failures = 0;
  const parts: (readonly Prompt[])[] = prompts.length === 0 ? [] : [prompts];
  for (let part = parts.pop(); part; part = parts.pop()) {
    if (delivery.trouble || signal.aborted || deps.now() >= until) {
      delivery.left.push(...part.map(idOf));
      continue;
    }
    try {
      const refused = await deps.collection.store(part, { signal, timeoutMs: callTimeoutMs });
      const bad = new Set(refused.map(idOf));
      delivery.refused.push(...refused.map(({ generationId, reason }) => ({ generationId, error: reason })));
      delivery.taken.push(...part.map(idOf).filter((id) => !bad.has(id)));
      continue;
    } catch (error) {
      failures += 1;
      const inVain = delivery.taken.length === 0 && failures >= MOST_FAILURES_IN_VAIN;
      if (isTrouble(error) || inVain) {
        delivery.trouble = asKindredError(error);
        delivery.left.push(...part.map(idOf));
      } else if (part.length > 1) {
        const middle = part.length >> 1;
        parts.push(part.slice(middle), part.slice(0, middle));
      } else {
        const setbacks = part.map(({ generationId }) => ({ generationId, error: messageOf(error) }));
        if (isKindredError(error) && error.kind === "invalid-argument") delivery.refused.push(...setbacks);
        else delivery.failed.push(...setbacks);
      }
    }
  }
  return delivery;
}

const idOf = ({ generationId }: { generationId: bigint }): bigint => generationId;

function isTrouble(error: unknown): boolean {
  return isKindredError(error) && TROUBLE.has(error.kind);
}

export function asKindredError(error: unknown): KindredError {
  return isKindredError(error) ? error : new KindredError("internal", messageOf(error), { cause: error });
}
