import { repeat } from "../drawing/scatter.ts";
import {
  at,
  circle,
  clipped,
  ellipse,
  path,
  polygon,
  rect,
  stroke,
  type Drawing,
  type Placement,
} from "../drawing/svg.ts";
import { closedEye, eye, quadruped } from "./quadruped.ts";

export interface CatColours {
  coat: string;
  /** Stripes, the inside of the shadowed side. */
  dark: string;
  /** Muzzle, chest and paws. */
  light: string;
  eyes?: string;
}

export const GINGER: CatColours = { coat: "#e8964a", dark: "#bd6a2a", light: "#fbe6cc", eyes: "#5c8a3a" };
export const GREY: CatColours = { coat: "#8c95a1", dark: "#656e7b", light: "#e6eaee", eyes: "#d9a92e" };
export const BLACK: CatColours = { coat: "#2b2d35", dark: "#191a20", light: "#3c3f4a", eyes: "#e6c33a" };
export const CALICO: CatColours = { coat: "#f6efe4", dark: "#d98a45", light: "#ffffff", eyes: "#4a8f8a" };

/** A cat's face seen from the front, about 44 wide, centred on the origin. */
export function catFace(c: CatColours, asleep = false): Drawing {
  return [
    path("M-20 -6L-19 -27L-5 -17ZM20 -6L19 -27L5 -17Z", c.coat),
    path("M-17 -11L-16.5 -21L-9 -15.5ZM17 -11L16.5 -21L9 -15.5Z", "#eaa3a0"),
    ellipse(0, 0, 22, 18.5, c.coat),
    stroke("M-4 -17v7M0 -18v8M4 -17v7M-21 0h6M-20 5h6M21 0h-6M20 5h-6", c.dark, 2.2, { opacity: 0.7 }),
    ellipse(-5, 8, 7.5, 6, c.light),
    ellipse(5, 8, 7.5, 6, c.light),
    asleep
      ? [closedEye(-9, -1, 8), closedEye(9, -1, 8)]
      : [
          ellipse(-9, -2, 4.4, 5, c.eyes ?? "#5c8a3a"),
          ellipse(9, -2, 4.4, 5, c.eyes ?? "#5c8a3a"),
          ellipse(-9, -2, 1.7, 4.4, "#15171b"),
          ellipse(9, -2, 1.7, 4.4, "#15171b"),
          circle(-7.8, -3.8, 1.1, "#fff"),
          circle(10.2, -3.8, 1.1, "#fff"),
        ],
    path("M-3 3.5H3L0 7Z", "#c8606a"),
    stroke("M0 7q-1 4 -5 3.4M0 7q1 4 5 3.4", "#5a3c33", 1.2),
    stroke("M-11 7L-28 4M-11 9.5L-28 11M11 7L28 4M11 9.5L28 11", "#ffffff", 0.9, { opacity: 0.85 }),
  ];
}

/** Sits and looks at the viewer; about 95 high. */
export function catSitting(x: number, y: number, place: Placement, c: CatColours): Drawing {
  return at(
    x,
    y,
    place,
    stroke("M20 -8C46 -4 48 -30 38 -38", c.dark, 9),
    path("M-24 0C-32 -26 -18 -58 0 -58C18 -58 32 -26 24 0Z", c.coat),
    stroke("M-24 -22q6 2 9 0M-23 -32q6 2 8 0M24 -22q-6 2 -9 0M23 -32q-6 2 -8 0", c.dark, 2.4, {
      opacity: 0.7,
    }),
    ellipse(0, -34, 11, 17, c.light, { opacity: 0.9 }),
    rect(-12, -32, 10, 32, c.coat, { round: 5 }),
    rect(2, -32, 10, 32, c.coat, { round: 5 }),
    ellipse(-8, -3, 8, 4.5, c.light),
    ellipse(8, -3, 8, 4.5, c.light),
    ellipse(-22, -4, 9, 5, c.coat),
    ellipse(22, -4, 9, 5, c.coat),
    at(0, -70, {}, catFace(c)),
  );
}

/** Curled up asleep; about 110 wide and 50 high. */
export function catAsleep(x: number, y: number, place: Placement, c: CatColours): Drawing {
  return at(
    x,
    y,
    place,
    path("M-52 -16C-54 -40 -28 -52 0 -50C32 -50 56 -36 54 -16C52 0 28 0 0 0C-30 0 -50 0 -52 -16Z", c.coat),
    stroke("M-2 -49q4 9 1 17M14 -48q5 9 2 17M29 -43q5 8 2 15M-18 -48q2 8 0 14", c.dark, 3.6, {
      opacity: 0.7,
    }),
    stroke("M50 -14C44 2 4 2 -16 -5", c.dark, 9.5),
    stroke("M50 -14C44 2 4 2 -16 -5", c.coat, 6.5),
    ellipse(-22, -4, 12, 5, c.light),
    at(-32, -24, { scale: 0.95, rotate: -8 }, catFace(c, true)),
  );
}

/** Walks to the right; about 110 wide and 70 high. */
export function catWalking(x: number, y: number, place: Placement, c: CatColours): Drawing {
  const body = quadruped({
    coat: c.coat,
    shade: c.dark,
    length: 74,
    depth: 24,
    legs: 26,
    legWidth: 8,
    stride: [10, -8, 10, -8],
  });
  return at(
    x,
    y,
    place,
    stroke("M-34 -42C-54 -44 -54 -70 -44 -80", c.coat, 8),
    body.drawing,
    clipped(
      path(body.outline, "#000"),
      stroke("M-22 -52v16M-10 -52v15M2 -52v14M14 -52v15", c.dark, 4, { opacity: 0.6 }),
    ),
    at(42, -54, { scale: 0.82 }, catFace(c)),
  );
}

export interface DogColours {
  coat: string;
  dark: string;
  light: string;
  collar?: string;
}

export const GOLDEN: DogColours = { coat: "#dba45c", dark: "#b27c38", light: "#f3d9a8", collar: "#c9403f" };
export const BROWN: DogColours = { coat: "#8a5a3a", dark: "#643d25", light: "#c99a70", collar: "#3f87d8" };
export const COLLIE: DogColours = { coat: "#2e3038", dark: "#1b1c22", light: "#f4f1ea", collar: "#e2b93b" };

/** A dog's head from the side, looking right, its neck at the origin. */
export function dogHead(c: DogColours, open = true): Drawing {
  return [
    open ? path("M14 4C22 8 30 8 34 5C32 14 20 14 12 10Z", "#c9545e") : [],
    path(
      "M-14 -6C-14 -22 0 -28 12 -22C18 -18 22 -13 34 -12C40 -11 40 -2 34 1C26 5 18 6 10 8C0 10 -12 8 -14 -6Z",
      c.coat,
    ),
    path("M16 -10C24 -13 30 -12 34 -12C40 -11 40 -2 34 1C27 4 20 5 15 5Z", c.light),
    ellipse(36.5, -9.5, 4, 3.4, "#24201e"),
    eye(12, -13, 2.4),
    path("M-8 -22C-18 -20 -20 -2 -13 8C-4 8 2 -8 0 -20Z", c.dark),
  ];
}

/** Runs or, with small strides, stands; about 120 wide and 90 high. */
export function dogRunning(
  x: number,
  y: number,
  place: Placement,
  c: DogColours,
  stride: readonly [number, number, number, number] = [-20, -12, 16, 24],
): Drawing {
  const body = quadruped({
    coat: c.coat,
    shade: c.dark,
    length: 84,
    depth: 30,
    legs: 32,
    legWidth: 10,
    stride,
  });
  return at(
    x,
    y,
    place,
    stroke("M-38 -56C-52 -62 -58 -72 -58 -84", c.coat, 9),
    body.drawing,
    ellipse(36, -44, 11, 15, c.light, { opacity: 0.85 }),
    path("M22 -60L40 -84L58 -70L44 -44Z", c.coat),
    at(48, -78, {}, dogHead(c)),
    c.collar ? stroke("M30 -68q10 10 20 8", c.collar, 5) : [],
  );
}

/** Sits, seen from the front; about 105 high. */
export function dogSitting(x: number, y: number, place: Placement, c: DogColours): Drawing {
  return at(
    x,
    y,
    place,
    stroke("M24 -8C44 -10 48 -24 46 -34", c.dark, 9),
    path("M-28 0C-36 -30 -20 -64 0 -64C20 -64 36 -30 28 0Z", c.coat),
    ellipse(0, -38, 14, 22, c.light),
    rect(-15, -38, 12, 38, c.coat, { round: 6 }),
    rect(3, -38, 12, 38, c.coat, { round: 6 }),
    ellipse(-10, -4, 10, 5, c.light),
    ellipse(10, -4, 10, 5, c.light),
    ellipse(-27, -5, 11, 6, c.coat),
    ellipse(27, -5, 11, 6, c.coat),
    stroke("M-14 -60q14 8 28 0", c.collar ?? "#c9403f", 5),
    circle(0, -54, 4, "#f3cf54"),
    dogFace(0, -80, c),
  );
}

/** A dog's face from the front, about 48 wide. */
export function dogFace(x: number, y: number, c: DogColours): Drawing {
  return at(
    x,
    y,
    {},
    ellipse(0, 0, 23, 21, c.coat),
    ellipse(0, 10, 13, 11, c.light),
    path(
      "M-12 -19C-30 -22 -34 2 -27 16C-18 16 -14 0 -12 -19ZM12 -19C30 -22 34 2 27 16C18 16 14 0 12 -19Z",
      c.dark,
    ),
    eye(-9, -3, 3),
    eye(9, -3, 3),
    ellipse(0, 5, 5.4, 4, "#24201e"),
    path("M-5 14C-5 24 5 24 5 14Z", "#e0707a"),
    stroke("M0 9v4M0 13q-4 4 -8 2M0 13q4 4 8 2", "#3f2a20", 1.5),
  );
}

/** Lies down with its head on its paws; about 130 wide. */
export function dogLying(x: number, y: number, place: Placement, c: DogColours): Drawing {
  return at(
    x,
    y,
    place,
    stroke("M-56 -10C-72 -6 -76 -16 -72 -24", c.dark, 9),
    path("M-62 0C-66 -30 -40 -40 -10 -36C20 -34 36 -28 38 0Z", c.coat),
    ellipse(-42, -9, 19, 12, c.dark, { opacity: 0.35 }),
    rect(10, -9, 62, 9, c.light, { round: 4.5 }),
    at(34, -24, { scale: 1.02, rotate: 10 }, dogHead(c, false), closedEye(12, -12, 6)),
  );
}

export function rabbit(x: number, y: number, place: Placement, coat = "#b58e6c", light = "#f2e6d6"): Drawing {
  return at(
    x,
    y,
    place,
    circle(-34, -16, 9, light),
    path("M-36 0C-42 -34 -14 -46 8 -38C24 -32 26 -8 20 0Z", coat),
    ellipse(-16, -8, 18, 10, coat, { stroke: "#00000022", width: 1.5 }),
    ellipse(24, -66, 5, 21, coat, { rotate: -12 }),
    ellipse(34, -64, 5, 20, coat, { rotate: 10 }),
    ellipse(34, -63, 2.3, 14, "#e8b0a8", { rotate: 10 }),
    ellipse(28, -38, 17, 15, coat),
    ellipse(38, -33, 8, 7, light),
    eye(32, -42, 2.6),
    circle(45, -35, 2.2, "#d97a80"),
    ellipse(20, -3, 13, 4.5, light),
    ellipse(-12, -2, 16, 4.5, light),
  );
}

export function parrot(x: number, y: number, place: Placement): Drawing {
  return at(
    x,
    y,
    place,
    path("M-8 0C-22 30 -24 52 -20 62C-8 50 0 30 4 4Z", "#2f6fd0"),
    path("M-4 2C-12 34 -10 52 -6 58C2 44 8 24 8 2Z", "#e5484d"),
    path("M-18 -6C-22 -40 -6 -64 12 -62C30 -60 32 -36 24 -16C18 0 -2 12 -18 -6Z", "#e5383f"),
    path("M-18 -8C-26 -30 -16 -44 0 -44C8 -26 2 0 -14 10Z", "#f2c230"),
    path("M-18 -2C-24 -18 -18 -28 -8 -30C0 -18 -4 2 -16 12Z", "#3b82d8"),
    ellipse(20, -52, 9, 9, "#fbf3e8"),
    eye(19, -53, 2.6),
    path("M27 -58C38 -58 40 -46 33 -40C31 -44 28 -46 25 -47Z", "#33302e"),
    stroke("M2 2v8M10 0v8", "#5a5450", 3),
  );
}

export function goldfish(x: number, y: number, place: Placement, colour = "#f5862e"): Drawing {
  return at(
    x,
    y,
    place,
    path("M-18 0C-34 -16 -44 -14 -46 -8C-40 -2 -40 2 -46 8C-44 14 -34 16 -18 0Z", "#f9b25f"),
    path("M-6 -12C-2 -24 12 -24 16 -12Z", "#f9a24c"),
    ellipse(4, 0, 26, 15, colour),
    path("M2 2C-6 6 -8 14 -4 16C4 14 8 8 8 3Z", "#f9b25f"),
    stroke("M-8 -6q4 6 0 12M0 -8q4 8 0 16", "#d9661c", 1.6, { opacity: 0.7 }),
    eye(18, -4, 3.2),
  );
}

export function tortoise(x: number, y: number, place: Placement): Drawing {
  return at(
    x,
    y,
    place,
    path("M40 -18C52 -38 68 -34 68 -24C68 -14 54 -12 42 -8Z", "#94a35c"),
    eye(61, -26, 2.4),
    repeat(2, (i) => rect(-38 + i * 58, -14, 17, 14, "#87964f", { round: 6 })),
    path("M-46 -8C-46 -46 -22 -58 0 -58C24 -58 46 -44 48 -8Z", "#8a6a3b"),
    polygon("-12,-52 12,-52 18,-32 -18,-32", "#b08c50"),
    polygon("-40,-28 -17,-48 -23,-30 -40,-14", "#b08c50"),
    polygon("40,-28 17,-48 23,-30 41,-14", "#b08c50"),
    polygon("-18,-28 18,-28 13,-12 -13,-12", "#a27f47"),
    rect(-49, -12, 100, 8, "#6e522c", { round: 4 }),
  );
}
