import { pack } from "./items-fixture.ts";
import { randomNumbers } from "./json-collections.ts";

export interface ClusteredItem {
  key: string;
  numbers: number[];
  cluster: number;
  /** Even between 0 and 1, whatever the cluster. */
  draw: number;
}

/** Numbers that an item differs by from the centre of its cluster come from so few directions, as those of embeddings do. */
const LATENT_DIMENSIONS = 12;
const SPREAD = 0.6;

/** Items in clusters, none of them of length 1; the same ones in every run. */
export function clusteredItems(options: {
  count: number;
  dimensions: number;
  clusters: number;
  seed?: number;
}): ClusteredItem[] {
  const { count, dimensions, clusters, seed = 1 } = options;
  const random = randomNumbers(seed);
  const vector = (scale: number): number[] =>
    Array.from({ length: dimensions }, () => scale * (random() - 0.5));
  const centres = Array.from({ length: clusters }, () => vector(1));
  const directions = Array.from({ length: LATENT_DIMENSIONS }, () => vector(SPREAD));
  return Array.from({ length: count }, (_, i) => {
    const cluster = Math.floor(random() * clusters);
    const amounts = directions.map(() => random() + random() - 1);
    const numbers = (centres[cluster] as number[]).map((centre, at) =>
      Math.fround(
        amounts.reduce(
          (sum, amount, d) => sum + amount * ((directions[d] as number[])[at] as number),
          centre,
        ),
      ),
    );
    return { key: `item-${String(i).padStart(5, "0")}`, numbers, cluster, draw: random() };
  });
}

/** As they travel: of bits, whether each number is above 0. */
export function packItems(items: readonly ClusteredItem[], bits: boolean): Uint8Array {
  if (!bits) return pack(...items.map(({ numbers }) => numbers));
  return Buffer.concat(
    items.map(({ numbers }) => {
      const bytes = Buffer.alloc(Math.ceil(numbers.length / 8));
      for (const [i, number] of numbers.entries())
        if (number > 0) bytes[i >> 3] = (bytes[i >> 3] as number) | (0x80 >> (i & 7));
      return bytes;
    }),
  );
}
