import { repeat, scatter } from "../drawing/scatter.ts";
import {
  at,
  circle,
  clipped,
  ellipse,
  fade,
  glow,
  gradient,
  path,
  polygon,
  radial,
  rect,
  stroke,
  type Drawing,
  type Placement,
} from "../drawing/svg.ts";

export function nebula(seed: number, colours: readonly string[]): Drawing {
  return scatter(seed, 9, { x: 40, y: 20, w: 400, h: 300 }, (x, y, random) =>
    circle(x, y, 70 + random() * 90, glow(colours[Math.floor(random() * colours.length)] as string, 0.3)),
  );
}

export function planet(x: number, y: number, r: number, colours: readonly string[], ring?: string): Drawing {
  const disc = circle(x, y, r, gradient(colours, 100));
  const half = (behind: boolean): Drawing =>
    ring === undefined
      ? []
      : clipped(
          rect(x - r * 3, behind ? y - r * 2 : y, r * 6, r * 2, "#000"),
          ellipse(x, y, r * 1.95, r * 0.5, "none", { stroke: ring, width: r * 0.22, opacity: 0.9 }),
          ellipse(x, y, r * 1.62, r * 0.4, "none", { stroke: ring, width: r * 0.08, opacity: 0.6 }),
        );
  return at(
    x,
    y,
    { rotate: ring ? -16 : 0 },
    at(
      -x,
      -y,
      {},
      half(true),
      disc,
      clipped(disc, circle(x + r * 0.55, y + r * 0.3, r * 1.25, fade("#000000", 0, 0.45, 20))),
      half(false),
    ),
  );
}

export function earth(x: number, y: number, r: number): Drawing {
  const disc = circle(x, y, r, radial("#5bb3ea", "#1f64b4"));
  return [
    circle(x, y, r * 1.18, glow("#8fd0ff", 0.5)),
    disc,
    clipped(
      disc,
      at(
        x,
        y,
        { scale: r / 60 },
        path(
          "M-50 -30C-30 -50 -6 -46 -4 -30C-10 -16 -22 -14 -24 0C-26 12 -14 20 -20 36C-34 40 -40 18 -46 6C-54 -6 -58 -20 -50 -30Z",
          "#58a651",
        ),
        path("M14 -36C34 -48 58 -36 60 -14C54 4 36 4 30 18C24 34 10 28 10 10C6 -6 4 -24 14 -36Z", "#6cb35c"),
        ellipse(-14, -18, 34, 6, "#fff", { opacity: 0.6 }),
        ellipse(20, 24, 32, 6, "#fff", { opacity: 0.55 }),
      ),
      circle(x + r * 0.6, y + r * 0.3, r * 1.25, fade("#000000", 0, 0.4, 20)),
    ),
  ];
}

export function rocket(x: number, y: number, place: Placement, flame = true): Drawing {
  return at(
    x,
    y,
    place,
    flame
      ? [
          path("M-14 0C-18 34 -6 56 0 74C6 56 18 34 14 0Z", "#f78b2d"),
          path("M-8 0C-10 22 -3 36 0 48C3 36 10 22 8 0Z", "#ffe27a"),
        ]
      : [],
    path("M-20 -30L-40 6V-2L-18 0ZM20 -30L40 6V-2L18 0Z", "#c9302c"),
    path("M-20 0C-26 -50 -18 -100 0 -126C18 -100 26 -50 20 0Z", gradient(["#ffffff", "#eef2f6", "#c3ccd5"])),
    path("M-13.5 -96C-10 -108 -5 -118 0 -126C5 -118 10 -108 13.5 -96Z", "#c9302c"),
    circle(0, -70, 10, "#c3ccd5"),
    circle(0, -70, 7, "#5fb4ec"),
    rect(-20, -8, 40, 8, "#7b828b", { round: 2 }),
    path("M-4 -34H4V6H-4Z", "#c9302c"),
  );
}

export function astronaut(x: number, y: number, place: Placement): Drawing {
  const suit = "#f2f4f6";
  return at(
    x,
    y,
    place,
    rect(-22, -82, 44, 44, "#c3cad2", { round: 8 }),
    stroke("M-12 -72L-30 -58L-38 -70", suit, 13),
    stroke("M12 -72L28 -52L38 -44", suit, 13),
    stroke("M-8 -36L-12 -6", suit, 15),
    stroke("M8 -36L14 -6", suit, 15),
    rect(-17, -82, 34, 50, suit, { round: 12 }),
    rect(-10, -64, 20, 13, "#9aa5b1", { round: 3 }),
    circle(-4, -58, 2.2, "#e5484d"),
    circle(4, -58, 2.2, "#5fb4ec"),
    ellipse(-13, -3, 11, 5, "#b5bdc7"),
    ellipse(16, -3, 11, 5, "#b5bdc7"),
    circle(-38, -71, 6.5, "#b5bdc7"),
    circle(39, -43, 6.5, "#b5bdc7"),
    circle(0, -98, 20, suit),
    ellipse(2, -97, 15, 13, gradient(["#3a4a6b", "#e0a54a"], 40)),
    ellipse(-4, -102, 5, 3, "#ffffff", { opacity: 0.7 }),
  );
}

export function satellite(x: number, y: number, place: Placement): Drawing {
  const panel = (px: number): Drawing => [
    rect(px, -16, 62, 32, "#2f5fb5", { stroke: "#d7dbe0", width: 2 }),
    repeat(3, (i) => stroke(`M${px + 15.5 * (i + 1)} -16v32`, "#8fb4ec", 1.2)),
    stroke(`M${px} 0h62`, "#8fb4ec", 1.2),
  ];
  return at(
    x,
    y,
    place,
    stroke("M-40 0H40", "#b5bdc7", 5),
    panel(-96),
    panel(34),
    rect(-20, -24, 40, 48, "#e2b14a", { round: 4 }),
    stroke("M0 -24V-44", "#d7dbe0", 3),
    path("M-20 -56C-16 -40 16 -40 20 -56Z", "#e9edf1"),
    circle(0, -56, 3, "#e5484d"),
  );
}

export function spaceStation(x: number, y: number, place: Placement): Drawing {
  const array = (px: number, py: number): Drawing => [
    rect(px, py, 26, 78, "#b5823a", { stroke: "#e9d6a8", width: 1.4 }),
    repeat(6, (i) => stroke(`M${px} ${py + 12 + i * 11}h26`, "#7a5420", 1)),
  ];
  return at(
    x,
    y,
    place,
    stroke("M-170 0H170", "#aeb7c1", 6),
    [-166, -130, 104, 140].map((px) => [array(px, -86), array(px, 8)]),
    rect(-60, -18, 120, 36, gradient(["#f6f8fa", "#b9c3cd"], 90), { round: 16 }),
    rect(-16, -66, 32, 132, gradient(["#f6f8fa", "#b9c3cd"]), { round: 14 }),
    repeat(3, (i) => circle(-36 + i * 36, 0, 5, "#3a4a6b")),
    circle(0, -44, 5, "#3a4a6b"),
    circle(0, 44, 5, "#3a4a6b"),
  );
}

export function rover(x: number, y: number, place: Placement): Drawing {
  return at(
    x,
    y,
    place,
    stroke("M-46 -16L-14 -34L46 -16M-14 -34L4 -16", "#6b7480", 5),
    repeat(3, (i) => [circle(-46 + i * 46, -14, 14, "#2b2e33"), circle(-46 + i * 46, -14, 6, "#9aa1a9")]),
    polygon("-54,-40 48,-40 40,-58 -46,-58", "#e9edf1"),
    polygon("-58,-60 54,-60 46,-66 -50,-66", "#2f5fb5"),
    stroke("M34 -60V-98", "#c3cad2", 5),
    rect(20, -114, 32, 17, "#e9edf1", { round: 4 }),
    circle(30, -105, 5, "#2a2f3a"),
    circle(43, -105, 5, "#2a2f3a"),
    stroke("M-40 -66V-90", "#c3cad2", 3),
    path("M-54 -98C-48 -84 -32 -84 -26 -98Z", "#e9edf1"),
    stroke("M50 -48L76 -56L84 -34", "#9aa1a9", 4),
  );
}

export function comet(x: number, y: number, length: number): Drawing {
  return at(
    x,
    y,
    { rotate: -28 },
    polygon(`0,-15 ${length},-46 ${length},46 0,15`, fade("#9fd8ff", 0.75, 0, 0)),
    polygon(`0,-8 ${length * 0.85},-16 ${length * 0.85},16 0,8`, fade("#ffffff", 0.85, 0, 0)),
    circle(0, 0, 46, glow("#cfeaff", 0.8)),
    circle(0, 0, 14, "#ffffff"),
  );
}

export function crater(x: number, y: number, rx: number, ry: number): Drawing {
  return [
    ellipse(x, y, rx, ry, "#8b8d92"),
    ellipse(x + rx * 0.06, y + ry * 0.22, rx * 0.86, ry * 0.72, "#a8aab0"),
  ];
}

export function telescope(x: number, y: number, place: Placement): Drawing {
  return at(
    x,
    y,
    place,
    stroke("M0 -64L-26 0M0 -64L26 0M0 -64V-6", "#4a3424", 5),
    at(
      0,
      -70,
      { rotate: -36 },
      rect(-46, -10, 100, 20, "#dfe4ea", { round: 4 }),
      rect(44, -13, 22, 26, "#b5402f", { round: 3 }),
      rect(-60, -6, 16, 12, "#33373d", { round: 2 }),
    ),
    circle(0, -66, 7, "#33373d"),
  );
}
