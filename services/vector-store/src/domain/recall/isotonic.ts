/**
 * The non-decreasing sequence that is nearest to the values in least squares: neighbours in the wrong order become their average
 * (pool adjacent violators; Barlow et al., "Statistical Inference under Order Restrictions", 1972). More effort never finds less, but for
 * the luck of a sample.
 */
export function isotonic(values: readonly number[]): number[] {
  const blocks: { sum: number; size: number }[] = [];
  for (const value of values) {
    let block = { sum: value, size: 1 };
    for (
      let last = blocks.at(-1);
      last && last.sum / last.size > block.sum / block.size;
      last = blocks.at(-1)
    ) {
      blocks.pop();
      block = { sum: last.sum + block.sum, size: last.size + block.size };
    }
    blocks.push(block);
  }
  return blocks.flatMap(({ sum, size }) => Array.from({ length: size }, () => sum / size));
}
