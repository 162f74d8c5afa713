import type { OnProgress } from "./domain/model-files.ts";

const INTERVAL_MS = 100;

/** Passes on the first and the last report of every phase, and those between at most ten times a second. */
export function throttleProgress(
  onProgress: OnProgress,
  now: () => number = () => performance.now(),
): OnProgress {
  let [phase, last] = ["", -INTERVAL_MS];
  return (progress) => {
    const current = `${progress.phase} ${progress.source} ${progress.total}`;
    const time = now();
    if (current === phase && progress.done < progress.total && time - last < INTERVAL_MS) return;
    [phase, last] = [current, time];
    onProgress(progress);
  };
}
