const BARS = "▁▂▃▄▅▆▇█";
const GAP = " ";

/** A value at its place in the period, from 0 (its beginning) to 1. */
export interface Placed {
  at: number;
  value: number;
}

/**
 * A line of `width` characters from the least value to the greatest: the greatest of each place, so that a peak is seen however narrow the line.
 * Where there is no value there is a gap. Values that are all the same lie in the middle.
 */
export function sparkline(values: readonly Placed[], width: number): string {
  const places: (number | undefined)[] = Array.from({ length: width }, () => undefined);
  for (const { at, value } of values) {
    const place = Math.min(width - 1, Math.max(0, Math.floor(at * width)));
    places[place] = Math.max(value, places[place] ?? -Infinity);
  }
  const known = places.filter((value) => value !== undefined);
  const least = Math.min(...known);
  const range = Math.max(...known) - least;
  return places
    .map((value) => {
      if (value === undefined) return GAP;
      const share = range > 0 ? (value - least) / range : 0.5;
      return BARS[Math.min(BARS.length - 1, Math.floor(share * BARS.length))];
    })
    .join("");
}
