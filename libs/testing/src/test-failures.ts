interface CircusBlock {
  type: "describeBlock" | "test";
  errors?: readonly unknown[];
  children?: readonly CircusBlock[];
}

/**
 * Whether a test of the file that runs now has failed so far. Jest tells nobody, but its runner keeps the outcome of every test in
 * a global of this name; false outside of jest.
 */
export function anyTestFailed(): boolean {
  const symbol = Object.getOwnPropertySymbols(globalThis).find((s) => s.description === "JEST_STATE_SYMBOL");
  if (symbol === undefined) return false;
  const state = (globalThis as unknown as Record<symbol, unknown>)[symbol] as {
    rootDescribeBlock: CircusBlock;
    unhandledErrors?: readonly unknown[];
  };
  return (state.unhandledErrors?.length ?? 0) > 0 || hasErrors(state.rootDescribeBlock);
}

function hasErrors(block: CircusBlock): boolean {
  return (block.errors?.length ?? 0) > 0 || (block.children ?? []).some(hasErrors);
}
