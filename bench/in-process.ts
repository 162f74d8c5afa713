import type { OpenModel } from "@kindred/embedding/open-model";
import { tokenizeTexts } from "@kindred/embedding/tokenization";

/** The model alone: sorted batches of token ids, run as fast as the workers take them, with nothing around them. */
export async function inProcess(model: OpenModel, texts: readonly string[]): Promise<() => Promise<void>> {
  const { maxBatchTokens, embedder } = model.served;
  const tokenized = await tokenizeTexts(model.tokenizer, [...new Set(texts)], embedder.space.maxTokens);
  const sorted = tokenized.map(({ ids }) => ids).toSorted((a, b) => b.length - a.length);
  const batches: (typeof sorted)[] = [];
  for (const ids of sorted) {
    const last = batches.at(-1);
    const columns = last?.[0]?.length ?? 0;
    if (last !== undefined && (last.length + 1) * columns <= maxBatchTokens) last.push(ids);
    else batches.push([ids]);
  }
  const packed = batches.map((rows) => {
    const columns = rows[0]?.length ?? 0;
    const ids = new Int32Array(rows.length * columns);
    for (const [row, text] of rows.entries()) ids.set(text, row * columns);
    return { ids, lengths: Int32Array.from(rows, (row) => row.length), rows: rows.length, columns };
  });
  return async () => {
    const queue = packed.values();
    const drain = async () => {
      for (const batch of queue) await model.inference.run(batch);
    };
    await Promise.all(Array.from({ length: model.inference.concurrency }, drain));
  };
}
