import { useEffect, useState } from "react";
import type { SearchResponse } from "@kindred/contracts/vector-store/v1";
import { explain, searchClient } from "./clients.ts";
import { Health } from "./health.tsx";
import { Results } from "./results.tsx";
import { SearchForm } from "./search-form.tsx";
import { readSearchState, writeSearchState, type SearchState } from "./search-state.ts";
import { Statistics } from "./statistics.tsx";

type Outcome =
  | { kind: "idle" }
  | { kind: "searching"; before: SearchResponse | undefined }
  | { kind: "found"; response: SearchResponse }
  | { kind: "failed"; message: string };

/** The search in the address bar, and how to go to another one. */
function useSearchState(): [SearchState, (state: SearchState) => void] {
  const [state, setState] = useState(() => readSearchState(location.search));
  useEffect(() => {
    const onBack = (): void => setState(readSearchState(location.search));
    window.addEventListener("popstate", onBack);
    return () => window.removeEventListener("popstate", onBack);
  }, []);
  const go = (next: SearchState): void => {
    history.pushState(null, "", `${location.pathname}${writeSearchState(next)}`);
    setState(next);
  };
  return [state, go];
}

function useSearch(state: SearchState): Outcome {
  const [outcome, setOutcome] = useState<Outcome>({ kind: "idle" });
  useEffect(() => {
    const { text, imageId } = state;
    if (text.trim() === "" && imageId === undefined) {
      setOutcome({ kind: "idle" });
      return undefined;
    }
    // A newer search ends this one.
    const stop = new AbortController();
    const run = async (): Promise<void> => {
      setOutcome((now) => ({ kind: "searching", before: now.kind === "found" ? now.response : undefined }));
      try {
        const response = await searchClient.search(
          {
            query:
              imageId === undefined ? { case: "text", value: text } : { case: "imageId", value: imageId },
            k: state.k,
            ...(state.threshold === 0 ? {} : { threshold: state.threshold }),
          },
          { signal: stop.signal },
        );
        setOutcome({ kind: "found", response });
      } catch (error) {
        if (!stop.signal.aborted) setOutcome({ kind: "failed", message: explain(error) });
      }
    };
    void run();
    return () => stop.abort();
  }, [state]);
  return outcome;
}

export function App() {
  const [state, go] = useSearchState();
  const outcome = useSearch(state);
  const shown =
    outcome.kind === "found" ? outcome.response : outcome.kind === "searching" ? outcome.before : undefined;
  return (
    <>
      <header className="top">
        <a className="brand" href="/" aria-label="Kindred, start page">
          <img src="/icon.svg" alt="" width="28" height="28" />
          Kindred
        </a>
        <Health />
      </header>
      <main>
        <SearchForm state={state} onSearch={go} searching={outcome.kind === "searching"} />
        {outcome.kind === "failed" && (
          <p className="notice" role="alert">
            {outcome.message}
          </p>
        )}
        {shown && (
          <Results
            response={shown}
            stale={outcome.kind === "searching"}
            onLike={(imageId) => go({ ...state, text: "", imageId })}
          />
        )}
        {outcome.kind === "idle" && (
          <p className="hint">Search the pictures by what they show. Words need not match: meaning does.</p>
        )}
        <Statistics />
      </main>
    </>
  );
}
