import { describe, expect, test } from "@jest/globals";
import { randomNumbers, scatter } from "./scatter.ts";
import { at, circle, clipped, downward, flatten, rect, toSvg } from "./svg.ts";

describe("toSvg", () => {
  test("writes nested drawings back to front, with two decimals", () => {
    const svg = toSvg(20, 10, [rect(0, 0, 20, 10, "#ffffff"), [circle(1 / 3, 2, 1.005, "red")], []]);
    expect(svg).toBe(
      '<svg xmlns="http://www.w3.org/2000/svg" width="20" height="10" viewBox="0 0 20 10"><defs></defs>' +
        '<rect x="0" y="0" width="20" height="10" fill="#ffffff"></rect>' +
        '<circle cx="0.33" cy="2" r="1" fill="red"></circle></svg>',
    );
  });

  test("defines a gradient once, however often it is used, and points to it", () => {
    const paint = () => downward("#000000", "#ffffff");
    const svg = toSvg(10, 10, [rect(0, 0, 5, 5, paint()), rect(5, 5, 5, 5, paint())]);
    const [, id] = /<linearGradient id="(\w+)"/.exec(svg) as unknown as [string, string];
    expect(svg.match(/<linearGradient/g)).toHaveLength(1);
    expect(svg.match(new RegExp(`fill="url\\(#${id}\\)"`, "g"))).toHaveLength(2);
  });

  test("clips what is drawn to an outline", () => {
    const svg = toSvg(10, 10, clipped(circle(5, 5, 4, "#000000"), rect(0, 0, 10, 10, "red")));
    const [, id] = /<clipPath id="(\w+)"><circle/.exec(svg) as unknown as [string, string];
    expect(svg).toContain(`<g clip-path="url(#${id})"><rect`);
  });

  test("places, turns and mirrors", () => {
    const [group] = flatten(at(3, 4, { scale: 2, rotate: 90, flip: true }, circle(0, 0, 1, "red")));
    expect(group?.attributes["transform"]).toBe("translate(3 4) rotate(90) scale(-2 2)");
  });
});

describe("scatter", () => {
  test("draws the far ones first, inside the area, the same for the same seed", () => {
    const places = (seed: number) => {
      const found: [number, number][] = [];
      scatter(seed, 50, { x: 10, y: 20, w: 30, h: 40 }, (x, y) => {
        found.push([x, y]);
        return [];
      });
      return found;
    };
    const first = places(7);
    expect(first).toEqual(places(7));
    expect(first).not.toEqual(places(8));
    expect(first.map(([, y]) => y)).toEqual(first.map(([, y]) => y).toSorted((a, b) => a - b));
    for (const [x, y] of first) {
      expect(x).toBeGreaterThanOrEqual(10);
      expect(x).toBeLessThan(40);
      expect(y).toBeGreaterThanOrEqual(20);
      expect(y).toBeLessThan(60);
    }
  });

  test("random numbers are those of mulberry32", () => {
    const next = randomNumbers(1);
    expect([next(), next(), next()].map((v) => v.toFixed(6))).toEqual(["0.627074", "0.002736", "0.527447"]);
  });
});
