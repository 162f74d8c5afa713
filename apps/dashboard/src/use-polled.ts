import { useEffect, useState } from "react";

export interface Polled<T> {
  value: T | undefined;
  error: unknown;
}

/** What `load` gives, loaded anew every `everyMs` while the page is visible. `load` must not change between renders. */
export function usePolled<T>(load: (signal: AbortSignal) => Promise<T>, everyMs: number): Polled<T> {
  const [state, setState] = useState<Polled<T>>({ value: undefined, error: undefined });
  useEffect(() => {
    const stop = new AbortController();
    const refresh = async (): Promise<void> => {
      if (document.visibilityState === "hidden") return;
      try {
        const value = await load(stop.signal);
        if (!stop.signal.aborted) setState({ value, error: undefined });
      } catch (error) {
        // What was known stays on the page, next to the error.
        if (!stop.signal.aborted) setState((before) => ({ ...before, error }));
      }
    };
    void refresh();
    const timer = setInterval(() => void refresh(), everyMs);
    const onVisible = (): void => void refresh();
    document.addEventListener("visibilitychange", onVisible);
    return () => {
      stop.abort();
      clearInterval(timer);
      document.removeEventListener("visibilitychange", onVisible);
    };
  }, [load, everyMs]);
  return state;
}
