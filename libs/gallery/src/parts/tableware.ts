import { repeat, scatter } from "../drawing/scatter.ts";
import {
  at,
  circle,
  downward,
  ellipse,
  path,
  rect,
  stroke,
  type Drawing,
  type Placement,
} from "../drawing/svg.ts";

/** A table top seen from above, with its grain or weave. */
export function tableTop(kind: "wood" | "cloth" | "marble" | "slate" | "board" = "wood"): Drawing {
  const tops: Record<typeof kind, () => Drawing> = {
    wood: () => [
      rect(0, 0, 480, 360, "#b9824f"),
      repeat(6, (i) => [
        rect(0, i * 60, 480, 60, ["#b9824f", "#c08a56", "#b27b48"][i % 3] as string),
        rect(0, i * 60, 480, 2, "#8a5a32", { opacity: 0.55 }),
        stroke(
          `M${30 + i * 40} ${i * 60 + 20}q60 8 130 0t160 4M${260 - i * 30} ${i * 60 + 42}q70 -6 150 0`,
          "#93622f",
          1.2,
          { opacity: 0.4 },
        ),
      ]),
    ],
    cloth: () => [
      rect(0, 0, 480, 360, "#fbf4ea"),
      repeat(12, (i) => rect(i * 40, 0, 20, 360, "#d9534f", { opacity: 0.32 })),
      repeat(9, (i) => rect(0, i * 40, 480, 20, "#d9534f", { opacity: 0.32 })),
    ],
    marble: () => [
      rect(0, 0, 480, 360, downward("#f3f1ee", "#e2dfdb")),
      stroke(
        "M-10 60C90 40 120 130 220 110S380 40 490 90M-10 250C80 220 150 300 260 270S400 230 490 290M120 -10C150 80 90 140 150 220S130 330 160 370",
        "#c9c5c0",
        2.4,
        { opacity: 0.7 },
      ),
    ],
    slate: () => [
      rect(0, 0, 480, 360, downward("#3d454d", "#2b3138")),
      scatter(6, 60, { x: 0, y: 0, w: 480, h: 360 }, (x, y) => circle(x, y, 1, "#6a747e", { opacity: 0.5 })),
    ],
    board: () => [
      rect(0, 0, 480, 360, "#6d8f8a"),
      ellipse(240, 300, 210, 22, "#10202c", { opacity: 0.25 }),
      rect(40, 60, 400, 236, "#c99a62", { round: 22 }),
      rect(40, 60, 400, 228, "#d9ae78", { round: 22 }),
      stroke("M70 120q120 12 340 0M70 180q150 -12 340 4M70 240q120 10 340 -4", "#b8864d", 1.6, {
        opacity: 0.5,
      }),
      circle(412, 84, 9, "#8f6a3e"),
    ],
  };
  return tops[kind]();
}

/** Seen from above. */
export function plate(x: number, y: number, r: number, colour = "#ffffff", rim = "#dfe5ea"): Drawing {
  return [
    ellipse(x + 4, y + 8, r * 1.02, r * 1.0, "#10202c", { opacity: 0.2 }),
    circle(x, y, r, colour),
    circle(x, y, r * 0.97, "none", { stroke: rim, width: 2 }),
    circle(x, y, r * 0.72, "none", { stroke: rim, width: 2.4 }),
  ];
}

export function cutlery(left: number, right: number, y: number): Drawing {
  const steel = "#c3cad1";
  return [
    stroke(`M${left} ${y + 70}V${y - 20}`, steel, 6),
    stroke(
      `M${left - 9} ${y - 66}V${y - 38}Q${left - 9} ${y - 22} ${left} ${y - 22}Q${left + 9} ${y - 22} ${left + 9} ${y - 38}V${y - 66}M${left} ${y - 66}V${y - 24}`,
      steel,
      4,
    ),
    stroke(`M${right} ${y + 70}V${y - 4}`, steel, 6),
    path(
      `M${right - 5} ${y}V${y - 66}C${right + 10} ${y - 60} ${right + 10} ${y - 14} ${right + 5} ${y}Z`,
      steel,
    ),
  ];
}

export function glass(x: number, y: number, place: Placement, drink: string, straw = true): Drawing {
  return at(
    x,
    y,
    place,
    straw ? stroke("M4 -20L16 -104", "#e5484d", 5) : [],
    path("M-20 -84H20L15 0H-15Z", "#eaf5fb", { opacity: 0.65 }),
    path("M-18.6 -66H18.6L15 0H-15Z", drink, { opacity: 0.92 }),
    rect(-12, -60, 11, 11, "#ffffff", { opacity: 0.4, round: 2, rotate: 14 }),
    rect(3, -50, 10, 10, "#ffffff", { opacity: 0.35, round: 2, rotate: -10 }),
    rect(-16, -78, 3, 66, "#ffffff", { opacity: 0.5, round: 1.5 }),
  );
}

/** Seen from slightly above. */
export function bowl(
  x: number,
  y: number,
  place: Placement,
  colour: string,
  filling: string,
  onTop: Drawing = [],
): Drawing {
  return at(
    x,
    y,
    place,
    ellipse(0, 4, 74, 10, "#10202c", { opacity: 0.22 }),
    path("M-104 -72C-100 -16 -50 0 0 0C50 0 100 -16 104 -72Z", colour),
    path("M-104 -72C-100 -16 -50 0 0 0C-30 -10 -60 -30 -66 -72Z", "#ffffff", { opacity: 0.14 }),
    ellipse(0, -72, 104, 34, "#ffffff"),
    ellipse(0, -70, 96, 29, filling),
    onTop,
  );
}
