import { repeat } from "../drawing/scatter.ts";
import {
  at,
  circle,
  downward,
  ellipse,
  glow,
  gradient,
  path,
  polygon,
  rect,
  stroke,
  type Drawing,
  type Placement,
} from "../drawing/svg.ts";
import { wheel } from "./road-vehicles.ts";

const GLASS = downward("#d8eefa", "#9cc6e0");

/** The engine of a steam train, about 170 wide; its wheels stand on y = 0 and it runs to the right. */
export function steamEngine(x: number, y: number, place: Placement): Drawing {
  return at(
    x,
    y,
    place,
    rect(-84, -28, 168, 12, "#9d2b27"),
    rect(-40, -72, 108, 44, downward("#3c4650", "#222a31"), { round: 8 }),
    repeat(3, (i) => rect(-20 + i * 28, -72, 4, 44, "#c9a13c")),
    circle(68, -50, 21, "#2a333b"),
    circle(68, -50, 14, "#46525d"),
    path("M44 -72L40 -104H66L60 -72Z", "#2a333b"),
    rect(36, -110, 34, 8, "#9d2b27", { round: 3 }),
    path("M6 -72C6 -84 26 -84 26 -72Z", "#c9a13c"),
    rect(-84, -104, 50, 78, "#9d2b27"),
    rect(-76, -94, 18, 26, GLASS, { round: 2 }),
    rect(-54, -94, 16, 26, GLASS, { round: 2 }),
    rect(-90, -112, 62, 9, "#5e1916", { round: 4 }),
    circle(84, -72, 7, "#fff3c4"),
    polygon("80,-16 112,0 80,0", "#3c4650"),
    wheel(-58, 18, "#9d2b27"),
    wheel(-14, 18, "#9d2b27"),
    wheel(26, 13, "#9d2b27"),
    wheel(58, 13, "#9d2b27"),
    stroke("M-58 -18H26", "#c8cdd3", 4),
  );
}

/** A carriage about 130 wide. */
export function carriage(x: number, y: number, place: Placement, colour = "#2f6a58"): Drawing {
  return at(
    x,
    y,
    place,
    rect(-66, -82, 132, 60, colour, { round: 4 }),
    rect(-70, -88, 140, 8, "#33383e", { round: 4 }),
    rect(-66, -42, 132, 4, "#e8cf8c"),
    repeat(5, (i) => rect(-58 + i * 24, -72, 18, 24, "#fdf0c8", { round: 2 })),
    rect(-66, -24, 132, 8, "#33383e"),
    wheel(-46, 9),
    wheel(-24, 9),
    wheel(24, 9),
    wheel(46, 9),
  );
}

/** Puffs of steam or smoke that drift to the left from (x, y). */
export function smoke(x: number, y: number, colour = "#ffffff", opacity = 0.8): Drawing {
  return repeat(7, (i) =>
    circle(x - i * i * 3.4, y - i * 9, 7 + i * 4, colour, { opacity: opacity * (1 - i * 0.12) }),
  );
}

/** About 330 long; points to the right. */
export function fastTrain(x: number, y: number, place: Placement): Drawing {
  return at(
    x,
    y,
    place,
    path("M-240 -10V-70H90C140 -70 178 -30 186 -10Z", downward("#ffffff", "#d9e1e8")),
    path("M-240 -26H180C184 -18 186 -14 186 -10H-240Z", "#2f62b0"),
    repeat(9, (i) => rect(-228 + i * 34, -60, 26, 17, "#2b3a4a", { round: 4 })),
    path("M104 -60C130 -56 146 -46 154 -38H108Z", "#2b3a4a"),
    stroke("M-240 -33H170", "#e5484d", 3),
    rect(-240, -10, 410, 8, "#3a424b"),
    ellipse(176, -20, 5, 3, "#fff3c4"),
  );
}

export function tram(x: number, y: number, place: Placement, colour = "#e0a52c"): Drawing {
  return at(
    x,
    y,
    place,
    stroke("M-10 -96L10 -116L-6 -132M-40 -132H30", "#454b52", 3),
    rect(-88, -96, 176, 84, colour, { round: 12 }),
    rect(-88, -60, 176, 6, "#fdf6e4"),
    rect(-88, -54, 176, 36, "#b8402f"),
    repeat(5, (i) => rect(-78 + i * 32, -88, 26, 26, GLASS, { round: 4 })),
    rect(-22, -86, 40, 70, "#6d2218", { round: 3 }),
    rect(-18, -82, 15, 60, GLASS),
    rect(0, -82, 15, 60, GLASS),
    circle(78, -38, 5, "#fff3c4"),
    rect(-80, -14, 160, 7, "#33383e"),
    wheel(-52, 9),
    wheel(52, 9),
  );
}

/** About 130 high; (x, y) is the bottom of the basket. */
export function balloon(x: number, y: number, place: Placement, colours: readonly [string, string]): Drawing {
  return at(
    x,
    y,
    place,
    stroke("M-9 -14L-20 -44M9 -14L20 -44M-3 -14L-6 -44M3 -14L6 -44", "#6b4a2b", 1.4),
    path("M-22 -44C-62 -74 -54 -132 0 -132C54 -132 62 -74 22 -44Z", colours[0]),
    path("M-8 -44C-36 -80 -30 -128 0 -132C30 -128 36 -80 8 -44Z", colours[1]),
    path("M-2 -44C-12 -80 -10 -124 0 -132C10 -124 12 -80 2 -44Z", colours[0]),
    ellipse(-26, -100, 8, 18, "#ffffff", { opacity: 0.22, rotate: 14 }),
    rect(-11, -15, 22, 15, "#9b6a3a", { round: 3 }),
    stroke("M-11 -10H11M-11 -5H11", "#7a5029", 1.4),
  );
}

/** About 220 long; climbs to the right when rotated. */
export function aeroplane(x: number, y: number, place: Placement, colour = "#2f6fd0"): Drawing {
  return at(
    x,
    y,
    place,
    path("M-88 -6L-116 -48H-96L-62 -10Z", colour),
    path(
      "M-110 -8C-104 -20 -80 -20 -60 -20H70C96 -20 112 -8 112 0C112 8 92 12 70 12H-60C-90 12 -108 4 -110 -8Z",
      downward("#ffffff", "#d3dde6"),
    ),
    path("M-106 -4C-90 4 -60 4 -60 4H110C106 10 90 12 70 12H-60C-90 12 -104 4 -106 -4Z", colour, {
      opacity: 0.85,
    }),
    repeat(12, (i) => rect(-58 + i * 11, -12, 5, 7, "#41566b", { round: 2 })),
    path("M86 -17C96 -15 104 -10 108 -5H88Z", "#41566b"),
    path("M-14 4L-58 52H-34L30 6Z", "#bac6d1"),
    path("M-20 -18L-48 -44H-32L12 -20Z", "#c9d3dc"),
    ellipse(-16, 30, 16, 7, "#8e9aa6"),
    path("M-90 2L-114 16H-100L-74 4Z", "#bac6d1"),
  );
}

export function helicopter(x: number, y: number, place: Placement, colour = "#e2542f"): Drawing {
  return at(
    x,
    y,
    place,
    ellipse(6, -74, 98, 4, "#8f9aa5", { opacity: 0.65 }),
    stroke("M6 -72V-58", "#3d444c", 5),
    path("M-30 -44L-118 -52L-124 -74H-112L-102 -58L-30 -58Z", colour),
    circle(-116, -64, 15, "none", { stroke: "#8f9aa5", width: 2 }),
    path(
      "M-40 -30C-40 -60 -10 -62 20 -58C50 -54 66 -36 64 -22C60 -10 -10 -8 -26 -14C-36 -18 -40 -22 -40 -30Z",
      colour,
    ),
    path("M20 -54C46 -50 60 -36 62 -26H22Z", GLASS),
    rect(-18, -52, 26, 22, GLASS, { round: 4 }),
    stroke("M-18 -10V0M36 -12V0M-40 0H64", "#3d444c", 4),
  );
}

/** A sailing boat; (x, y) is the middle of its water line. */
export function sailboat(
  x: number,
  y: number,
  place: Placement,
  sail = "#ffffff",
  hull = "#b2452f",
): Drawing {
  return at(
    x,
    y,
    place,
    stroke("M0 -8V-112", "#7a5230", 4),
    path("M4 -108C40 -84 56 -50 58 -20H4Z", sail),
    path("M-4 -98C-26 -70 -38 -44 -42 -20H-4Z", "#f0e2c4"),
    path("M4 -54C30 -50 46 -44 54 -38L57 -28C40 -36 20 -40 4 -42Z", "#e5893d", { opacity: 0.8 }),
    path("M-62 -14H66C60 2 48 8 36 8H-36C-50 8 -58 0 -62 -14Z", hull),
    rect(-62, -16, 128, 5, "#f7efe0", { round: 2 }),
    polygon("0,-112 20,-118 0,-124", "#e5484d"),
  );
}

/** About 330 long. */
export function containerShip(x: number, y: number, place: Placement): Drawing {
  const colours = ["#c9403f", "#3f7fc4", "#e2a23b", "#4b9b63", "#8a6bb0", "#d9734a"];
  return at(
    x,
    y,
    place,
    repeat(9, (i) =>
      repeat(i % 3 === 1 ? 4 : 3, (j) =>
        rect(-92 + i * 24, -46 - j * 15, 23, 14, colours[(i * 2 + j * 3) % 6] as string, {
          stroke: "#00000030",
          width: 1,
        }),
      ),
    ),
    rect(-152, -96, 44, 66, "#fbfaf5"),
    repeat(3, (r) => repeat(3, (i) => rect(-147 + i * 13, -90 + r * 16, 9, 8, "#3f5870"))),
    rect(-140, -118, 16, 22, "#d9734a"),
    rect(-140, -112, 16, 5, "#ffffff"),
    path("M-166 -34H176L150 10H-150Z", "#2b3a4f"),
    path("M-157 -6H159L150 10H-150Z", "#a33a31"),
  );
}

export function rowingBoat(x: number, y: number, place: Placement, colour = "#8a5a34"): Drawing {
  return at(
    x,
    y,
    place,
    path("M-64 -18C-50 -12 50 -12 64 -18C58 4 40 10 0 10C-40 10 -58 4 -64 -18Z", colour),
    path("M-64 -18C-50 -12 50 -12 64 -18L62 -12C48 -6 -48 -6 -62 -12Z", "#6b4226"),
    stroke("M-46 0H46", "#6b4226", 1.8),
  );
}

export function submarine(x: number, y: number, place: Placement, colour = "#f2b92e"): Drawing {
  return at(
    x,
    y,
    place,
    stroke("M-6 -44V-74H10", "#5a6068", 6),
    path("M-34 -34L-26 -58H18L26 -34Z", "#d99a1c"),
    ellipse(0, 0, 96, 38, colour),
    path("M-92 12C-70 40 70 40 92 12Z", "#d99a1c"),
    repeat(3, (i) => [circle(-32 + i * 36, -4, 14, "#5a6068"), circle(-32 + i * 36, -4, 10, radialGlass())]),
    path("M-90 -6L-114 -26V26L-90 6Z", "#d99a1c"),
    circle(94, 0, 7, "#fff3c4"),
    circle(104, 0, 34, glow("#fff3c4", 0.45)),
  );
}

function radialGlass() {
  return gradient(["#e8f7ff", "#8cc3e2"], 60);
}
