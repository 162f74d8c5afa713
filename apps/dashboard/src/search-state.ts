/** What is searched for; the address bar holds it, so that a search can be linked to and gone back to. */
export interface SearchState {
  text: string;
  /** Instead of a text: images like this one. */
  imageId: bigint | undefined;
  k: number;
  /** Least similarity; 0 is no threshold. */
  threshold: number;
}

export const DEFAULT_K = 12;

export function readSearchState(query: string): SearchState {
  const params = new URLSearchParams(query);
  const like = params.get("like") ?? "";
  const k = Number(params.get("k") ?? DEFAULT_K);
  const threshold = Number(params.get("threshold") ?? 0);
  return {
    text: params.get("q") ?? "",
    imageId: /^\d{1,18}$/.test(like) ? BigInt(like) : undefined,
    k: Number.isInteger(k) && k >= 1 && k <= 100 ? k : DEFAULT_K,
    threshold: threshold > 0 && threshold <= 1 ? threshold : 0,
  };
}

/** "?q=…", without what is at its default. */
export function writeSearchState(state: SearchState): string {
  const params = new URLSearchParams();
  if (state.imageId !== undefined) params.set("like", String(state.imageId));
  else if (state.text !== "") params.set("q", state.text);
  if (state.k !== DEFAULT_K) params.set("k", String(state.k));
  if (state.threshold !== 0) params.set("threshold", String(state.threshold));
  const query = params.toString();
  return query === "" ? "" : `?${query}`;
}
