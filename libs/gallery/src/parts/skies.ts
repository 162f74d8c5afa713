import { pick, scatter } from "../drawing/scatter.ts";
import { HEIGHT, WIDTH } from "../drawing/scene.ts";
import {
  at,
  circle,
  downward,
  ellipse,
  glow,
  path,
  polygon,
  rect,
  stroke,
  type Drawing,
} from "../drawing/svg.ts";

const SKIES = {
  day: ["#5fb4ec", "#a9dcf7", "#e3f5fc"],
  noon: ["#3d9be0", "#8fcdf3"],
  morning: ["#8cc6ec", "#fbe3c0", "#fdf1da"],
  sunset: ["#4d3b78", "#c65b6e", "#f59a5b", "#fcd58a"],
  dusk: ["#25305f", "#6a5591", "#d58a8c"],
  night: ["#0a1230", "#1a2a5c", "#33467f"],
  deepNight: ["#050817", "#10183a"],
  overcast: ["#7f8d9b", "#b3bec7", "#d5dce0"],
  storm: ["#2b3340", "#4a5664", "#78838d"],
  snow: ["#a8b9c9", "#dfe8ef"],
  desert: ["#6fb9dd", "#f7e0b4"],
  mars: ["#b5714b", "#e7b184"],
  space: ["#03040f", "#0b0f2a"],
} as const;

export type SkyKind = keyof typeof SKIES;

/** Fills the picture. */
export function sky(kind: SkyKind): Drawing {
  return rect(0, 0, WIDTH, HEIGHT, downward(...SKIES[kind]));
}

export function sun(x: number, y: number, r = 26, colour = "#ffd84d"): Drawing {
  return [circle(x, y, r * 2.6, glow(colour, 0.55)), circle(x, y, r, colour)];
}

export function moon(x: number, y: number, r = 22): Drawing {
  return [
    circle(x, y, r * 2.8, glow("#f6f1d3", 0.35)),
    circle(x, y, r, "#f4efd5"),
    circle(x - r * 0.3, y - r * 0.2, r * 0.2, "#ddd7b8"),
    circle(x + r * 0.35, y + r * 0.3, r * 0.26, "#ddd7b8"),
    circle(x + r * 0.2, y - r * 0.5, r * 0.12, "#ddd7b8"),
  ];
}

export function crescent(x: number, y: number, r = 22): Drawing {
  return [
    circle(x, y, r * 2.8, glow("#f6f1d3", 0.3)),
    path(
      `M${x} ${y - r} A${r} ${r} 0 1 1 ${x} ${y + r} A${r * 1.25} ${r * 1.25} 0 0 0 ${x} ${y - r}Z`,
      "#f7f0cd",
    ),
  ];
}

export function stars(seed: number, count = 60, bottom = 220): Drawing {
  return scatter(seed, count, { x: 0, y: 0, w: WIDTH, h: bottom }, (x, y, random) =>
    circle(x, y, 0.5 + random() * 1.3, pick(["#ffffff", "#fff3c9", "#cfe2ff"], random), {
      opacity: 0.5 + random() * 0.5,
    }),
  );
}

/** About 90 wide and 34 high at scale 1; (x, y) is the middle of its flat bottom. */
export function cloud(x: number, y: number, scale = 1, colour = "#ffffff", opacity = 0.92): Drawing {
  return at(
    x,
    y,
    { scale, opacity },
    ellipse(-24, -9, 20, 11, colour),
    ellipse(-6, -17, 20, 17, colour),
    ellipse(16, -13, 18, 14, colour),
    ellipse(30, -7, 15, 9, colour),
    rect(-40, -10, 82, 11, colour, { round: 6 }),
  );
}

/** A heavy ceiling of clouds along the top. */
export function cloudBank(seed: number, colours: readonly string[], bottom = 90): Drawing {
  return scatter(seed, 22, { x: -20, y: -10, w: WIDTH + 40, h: bottom }, (x, y, random) =>
    cloud(x, y + 20, 1.2 + random() * 1.3, pick(colours, random), 0.85),
  );
}

export function rain(seed: number, count = 130, colour = "#dcecf7"): Drawing {
  return scatter(seed, count, { x: -20, y: -20, w: WIDTH + 40, h: HEIGHT + 20 }, (x, y, random) => {
    const length = 10 + random() * 12;
    return stroke(
      `M${x.toFixed(1)} ${y.toFixed(1)}l${(-length * 0.28).toFixed(1)} ${length.toFixed(1)}`,
      colour,
      1.3,
      {
        opacity: 0.35 + random() * 0.35,
      },
    );
  });
}

export function snowfall(seed: number, count = 110): Drawing {
  return scatter(seed, count, { x: 0, y: 0, w: WIDTH, h: HEIGHT }, (x, y, random) =>
    circle(x, y, 1 + random() * 2.4, "#ffffff", { opacity: 0.6 + random() * 0.4 }),
  );
}

export function lightning(x: number, y: number, scale = 1): Drawing {
  return at(
    x,
    y,
    { scale },
    circle(0, 55, 80, glow("#fff7c2", 0.4)),
    polygon("6,0 -16,52 -2,52 -20,112 24,40 8,40 26,0", "#fff3a8"),
  );
}

/** Small birds far away, as pairs of arcs. */
export function distantBirds(x: number, y: number, colour = "#3f4a59"): Drawing {
  const bird = (dx: number, dy: number, s: number) =>
    stroke(
      `M${x + dx - 7 * s} ${y + dy - 3 * s}q${4 * s} ${-4 * s} ${7 * s} ${3 * s}q${3 * s} ${-7 * s} ${7 * s} ${-3 * s}`,
      colour,
      1.6,
    );
  return [bird(0, 0, 1), bird(24, -12, 0.8), bird(42, 4, 0.9), bird(66, -8, 0.7)];
}

/** Arcs about (x, y), the outermost of radius r. */
export function rainbow(x: number, y: number, r: number): Drawing {
  return ["#e5484d", "#f28c38", "#f6d13c", "#56b35a", "#3f87d8", "#7256c1"].map((colour, i) => {
    const radius = r - i * 8;
    return stroke(`M${x - radius} ${y}A${radius} ${radius} 0 0 1 ${x + radius} ${y}`, colour, 8.4, {
      opacity: 0.75,
      cap: "butt",
    });
  });
}
