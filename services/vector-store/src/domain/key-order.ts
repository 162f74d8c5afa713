import type { KeyType } from "./layout.ts";

/** How keys are ordered: numbers by value, texts by code point, as PostgreSQL does by COLLATE "C". */
export function compareKeys(type: KeyType): (a: string, b: string) => number {
  switch (type) {
    case "smallint":
    case "integer":
    case "bigint":
      return (a, b) => {
        const difference = BigInt(a) - BigInt(b);
        return difference < 0n ? -1 : Number(difference > 0n);
      };
    case "uuid":
    case "text":
      return compareCodePoints;
  }
}

/** By code point. JavaScript's own order is that of UTF-16, where U+10000 and above stand before U+E000. */
export function compareCodePoints(a: string, b: string): number {
  const length = Math.min(a.length, b.length);
  for (let i = 0; i < length; i++) {
    const left = a.charCodeAt(i);
    const right = b.charCodeAt(i);
    if (left !== right) return sortable(left) - sortable(right);
  }
  return a.length - b.length;
}

/** Surrogates, which stand for the highest code points, go behind all other units. */
function sortable(unit: number): number {
  return unit >= 0xd800 && unit <= 0xdfff ? unit + 0x10000 : unit;
}
