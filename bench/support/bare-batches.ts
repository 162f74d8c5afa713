/** Rows of token ids, padded with zeros to the longest of them. */
export interface BareBatch {
  readonly ids: Int32Array;
  /** 1 for a token, 0 for padding. */
  readonly mask: Int32Array;
  readonly rows: number;
  readonly columns: number;
  /** Number of each row's text. */
  readonly texts: readonly number[];
}

/** Sorts texts by length, longest first, and fills batches up to `budget` tokens, padding included; a text may have more alone. */
export function bareBatches(tokenIds: readonly (readonly number[])[], budget: number): BareBatch[] {
  const order = [...tokenIds.keys()].toSorted((a, b) => lengthOf(b) - lengthOf(a));
  function lengthOf(text: number): number {
    return tokenIds[text]?.length ?? 0;
  }
  const groups: number[][] = [];
  for (const text of order) {
    const last = groups.at(-1);
    if (last !== undefined && (last.length + 1) * lengthOf(last[0] as number) <= budget) last.push(text);
    else groups.push([text]);
  }
  return groups.map((texts) => {
    const columns = lengthOf(texts[0] as number);
    const ids = new Int32Array(texts.length * columns);
    const mask = new Int32Array(texts.length * columns);
    for (const [row, text] of texts.entries()) {
      ids.set(tokenIds[text] as number[], row * columns);
      mask.fill(1, row * columns, row * columns + lengthOf(text));
    }
    return { ids, mask, rows: texts.length, columns, texts };
  });
}
