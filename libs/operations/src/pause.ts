import { setTimeout as delay } from "node:timers/promises";

/** Rests until the time is over or the signal is aborted, whichever comes first. Never rejects. */
export async function pause(ms: number, signal: AbortSignal): Promise<void> {
  try {
    await delay(ms, undefined, { signal });
  } catch (error) {
    if (!signal.aborted) throw error;
  }
}
