import { useEffect, useState, type FormEvent } from "react";
import type { SearchState } from "./search-state.ts";

const EXAMPLES = [
  "a pet resting indoors",
  "something to eat for breakfast",
  "stormy weather",
  "children playing outside",
  "a long journey",
  "making music",
];
const DEPTHS = [6, 12, 24, 48, 100];

interface Props {
  state: SearchState;
  onSearch: (state: SearchState) => void;
  searching: boolean;
}

export function SearchForm({ state, onSearch, searching }: Props) {
  const [text, setText] = useState(state.text);
  // Going back, or to an example, changes the text from outside.
  useEffect(() => setText(state.text), [state.text, state.imageId]);
  const submit = (event: FormEvent): void => {
    event.preventDefault();
    onSearch({ ...state, text: text.trim(), imageId: undefined });
  };
  const percent = Math.round(state.threshold * 100);
  return (
    <form className="search" role="search" onSubmit={submit}>
      <div className="search-line">
        <input
          type="search"
          name="q"
          value={text}
          onChange={(event) => setText(event.target.value)}
          placeholder={
            state.imageId === undefined ? "What are you looking for?" : "Pictures like the chosen one"
          }
          aria-label="Search the pictures"
          autoComplete="off"
          autoFocus
        />
        <button type="submit" disabled={searching && text.trim() === state.text}>
          Search
        </button>
      </div>
      <div className="search-options">
        <label>
          Hits
          <select value={state.k} onChange={(event) => onSearch({ ...state, k: Number(event.target.value) })}>
            {[...new Set([...DEPTHS, state.k])]
              .toSorted((a, b) => a - b)
              .map((k) => (
                <option key={k}>{k}</option>
              ))}
          </select>
        </label>
        <label>
          Similarity at least
          <input
            type="range"
            min="0"
            max="90"
            step="5"
            value={percent}
            onChange={(event) => onSearch({ ...state, threshold: Number(event.target.value) / 100 })}
          />
          <output>{percent === 0 ? "any" : (percent / 100).toFixed(2)}</output>
        </label>
      </div>
      <ul className="examples" aria-label="Examples">
        {EXAMPLES.map((example) => (
          <li key={example}>
            <button
              type="button"
              aria-pressed={state.text === example}
              onClick={() => onSearch({ ...state, text: example, imageId: undefined })}
            >
              {example}
            </button>
          </li>
        ))}
      </ul>
    </form>
  );
}
