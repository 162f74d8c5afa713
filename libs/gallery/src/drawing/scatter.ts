import type { Drawing } from "./svg.ts";

/** Numbers in [0, 1) that look random and are the same for the same seed, everywhere (mulberry32). */
export function randomNumbers(seed: number): () => number {
  let state = seed | 0;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4_294_967_296;
  };
}

export interface Area {
  x: number;
  y: number;
  w: number;
  h: number;
}

/**
 * Draws `count` things at scattered places of the area, the upper (farther) ones first. `draw` gets the place and a source of
 * further random numbers.
 */
export function scatter(
  seed: number,
  count: number,
  area: Area,
  draw: (x: number, y: number, random: () => number) => Drawing,
): Drawing {
  const random = randomNumbers(seed);
  const places = Array.from({ length: count }, () => ({
    x: area.x + random() * area.w,
    y: area.y + random() * area.h,
  }));
  return places.toSorted((a, b) => a.y - b.y).map((p) => draw(p.x, p.y, random));
}

/** One of the choices. */
export function pick<T>(choices: readonly T[], random: () => number): T {
  return choices[Math.floor(random() * choices.length)] as T;
}

/** Draws at the whole numbers from 0 to count - 1. */
export function repeat(count: number, draw: (i: number) => Drawing): Drawing {
  return Array.from({ length: count }, (_, i) => draw(i));
}
