import { repeat } from "../drawing/scatter.ts";
import {
  at,
  circle,
  downward,
  ellipse,
  path,
  polygon,
  radial,
  rect,
  stroke,
  type Drawing,
  type Placement,
} from "../drawing/svg.ts";

/** About 260 wide and 190 high, its lid open. */
export function grandPiano(x: number, y: number, place: Placement): Drawing {
  return at(
    x,
    y,
    place,
    path("M-66 -104C-40 -170 60 -196 128 -186L112 -104Z", "#1c1d22"),
    path("M-54 -106C-30 -160 56 -182 116 -174L104 -106Z", "#3a2a1e"),
    stroke("M40 -104L76 -176", "#2a2b31", 4),
    path("M-120 -104H124C134 -90 128 -66 104 -66H-120Z", "#1c1d22"),
    rect(-128, -78, 96, 12, "#fbfaf5"),
    repeat(13, (i) => stroke(`M${-121 + i * 7.2} -78v12`, "#b9bcc2", 1)),
    repeat(9, (i) => rect(-118 + i * 10, -78, 4, 7, "#1c1d22")),
    rect(-130, -66, 98, 7, "#1c1d22"),
    path("M-100 -104V-132H-48V-104Z", "#2a2b31"),
    rect(-94, -128, 20, 22, "#fdfbf3"),
    rect(-72, -128, 20, 22, "#fdfbf3"),
    repeat(3, (i) => stroke(`M-91 ${-122 + i * 6}h14M-69 ${-122 + i * 6}h14`, "#55585f", 1)),
    polygon("-112,-60 -100,-60 -104,0 -110,0", "#1c1d22"),
    polygon("96,-66 108,-66 104,0 98,0", "#1c1d22"),
    stroke("M-20 -64V-10M-28 -10h16", "#1c1d22", 5),
    stroke("M-12 -172C30 -186 70 -190 112 -184", "#ffffff", 2, { opacity: 0.25 }),
  );
}

/** Upright, about 170 high. */
export function guitar(x: number, y: number, place: Placement, wood = "#c97b32"): Drawing {
  return at(
    x,
    y,
    place,
    path(
      "M-34 -8C-48 -30 -34 -48 -24 -56C-34 -72 -22 -90 0 -90C22 -90 34 -72 24 -56C34 -48 48 -30 34 -8C22 8 -22 8 -34 -8Z",
      wood,
      { stroke: "#7a4418", width: 3 },
    ),
    circle(0, -54, 12, "#3a2416"),
    circle(0, -54, 14.5, "none", { stroke: "#f2d9a8", width: 1.6 }),
    rect(-5, -146, 10, 92, "#4a2c18"),
    repeat(7, (i) => stroke(`M-5 ${-138 + i * 11}h10`, "#d9cfae", 1)),
    path("M-8 -170H8L6 -144H-6Z", "#3a2416"),
    repeat(3, (i) => [circle(-10, -166 + i * 8, 2.4, "#d9cfae"), circle(10, -166 + i * 8, 2.4, "#d9cfae")]),
    rect(-15, -24, 30, 6, "#4a2c18", { round: 2 }),
    stroke("M-3 -164V-22M-1 -164V-22M1 -164V-22M3 -164V-22", "#f4efe2", 0.7),
  );
}

/** Upright, about 150 high. */
export function violin(x: number, y: number, place: Placement): Drawing {
  return at(
    x,
    y,
    place,
    path(
      "M-26 -6C-36 -22 -28 -36 -18 -40C-16 -46 -16 -50 -18 -54C-28 -62 -22 -82 0 -82C22 -82 28 -62 18 -54C16 -50 16 -46 18 -40C28 -36 36 -22 26 -6C18 4 -18 4 -26 -6Z",
      radial("#c9702a", "#9a4a18"),
      { stroke: "#5e2c10", width: 2.4 },
    ),
    stroke("M-11 -54C-15 -48 -9 -42 -12 -36M11 -54C15 -48 9 -42 12 -36", "#2e1608", 2),
    path("M-4 -40L-6 -126H6L4 -40Z", "#241610"),
    path("M-4 -126C-6 -138 6 -138 4 -128Z", "#7a3c14"),
    stroke("M-6 -122h-7M6 -126h7M-6 -130h-7M6 -132h7", "#241610", 3),
    rect(-10, -32, 20, 3, "#e5c48f"),
    polygon("-4,-22 4,-22 6,-4 -6,-4", "#241610"),
    stroke("M-2 -124V-20M0 -124V-20M2 -124V-20", "#e9e4d6", 0.7),
  );
}

export function drumKit(x: number, y: number, place: Placement, colour = "#c9302c"): Drawing {
  const drum = (dx: number, dy: number, w: number, h: number): Drawing => [
    rect(dx - w / 2, dy, w, h, colour, { round: 3 }),
    ellipse(dx, dy + h, w / 2, 7, colour),
    rect(dx - w / 2, dy, w, 4, "#d7dbe0"),
    ellipse(dx, dy, w / 2, 8, "#f7f4ec", { stroke: "#b9bfc6", width: 2 }),
  ];
  const cymbal = (dx: number, dy: number, turn: number): Drawing => [
    stroke(`M${dx} ${dy}L${dx * 0.94} 0`, "#7b828b", 3),
    ellipse(dx, dy, 40, 7, "#e2b93b", { rotate: turn }),
    ellipse(dx, dy - 2, 12, 4, "#f6d980", { rotate: turn }),
  ];
  return at(
    x,
    y,
    place,
    cymbal(-112, -128, -10),
    cymbal(112, -138, 12),
    drum(-34, -112, 54, 34),
    drum(34, -112, 54, 34),
    circle(0, -46, 50, colour),
    circle(0, -46, 43, "#f7f4ec"),
    circle(0, -46, 14, colour, { opacity: 0.25 }),
    circle(0, -46, 49, "none", { stroke: "#d7dbe0", width: 4 }),
    drum(-86, -66, 62, 30),
    stroke("M-86 -30V0M-86 -8L-108 0M-86 -8L-66 0", "#7b828b", 3),
    drum(86, -62, 66, 50),
    stroke("M58 -24L52 0M114 -24L120 0M-32 -6L-44 4M32 -6L44 4", "#7b828b", 4),
  );
}

/** Its bell to the right; about 160 long. */
export function trumpet(x: number, y: number, place: Placement): Drawing {
  const brass = "#e5b43a";
  return at(
    x,
    y,
    place,
    stroke("M-80 -8H40", brass, 7),
    stroke("M-50 -8C-66 -8 -66 22 -46 22H20C38 22 38 -8 20 -8", brass, 6),
    path("M36 -12C56 -12 66 -18 80 -34V18C66 2 56 -4 36 -4Z", brass),
    ellipse(80, -8, 6, 26, "#c4901f"),
    repeat(3, (i) => [
      rect(-30 + i * 15, -20, 10, 44, "#f2cf6c", { round: 3 }),
      rect(-28 + i * 15, -32, 6, 12, "#d7dbe0"),
      ellipse(-25 + i * 15, -33, 6, 3, "#f7f4ec"),
    ]),
    path("M-96 -14L-80 -11V-5L-96 -2Z", "#f2cf6c"),
  );
}

export function saxophone(x: number, y: number, place: Placement): Drawing {
  const brass = "#dba62f";
  return at(
    x,
    y,
    place,
    stroke("M-44 -148C-34 -160 -18 -160 -10 -146", "#dba62f", 7),
    stroke("M-58 -140L-44 -148", "#26282d", 7),
    path(
      "M-18 -148L-4 -146C0 -100 2 -70 6 -44C10 -18 44 -18 46 -48L40 -78L78 -92C80 -50 74 2 24 2C-14 2 -20 -40 -18 -148Z",
      brass,
    ),
    ellipse(59, -86, 20, 7, "#b5811a", { rotate: -20 }),
    repeat(6, (i) => [
      circle(-6 + i * 1.6, -128 + i * 17, 5.4, "#f4dc92"),
      circle(-6 + i * 1.6, -128 + i * 17, 2.6, "#b5811a"),
    ]),
    stroke("M-14 -120L-8 -40M58 -60C58 -30 46 -10 26 -8", "#f4dc92", 2.4),
  );
}

/** Its lid off, seen from slightly above; about 220 wide. */
export function recordPlayer(x: number, y: number, place: Placement): Drawing {
  return at(
    x,
    y,
    place,
    ellipse(0, 4, 120, 10, "#10202c", { opacity: 0.22 }),
    path("M-112 -66H112L124 -16H-124Z", "#a9683a"),
    rect(-124, -16, 248, 20, "#7d4a26", { round: 3 }),
    ellipse(-22, -42, 78, 22, "#1d1e22"),
    ellipse(-22, -42, 60, 16.5, "none", { stroke: "#3a3c42", width: 1.4 }),
    ellipse(-22, -42, 46, 12.5, "none", { stroke: "#3a3c42", width: 1.4 }),
    ellipse(-22, -42, 26, 7.2, "#e5484d"),
    ellipse(-22, -42, 3, 1.2, "#f7f4ec"),
    path("M-90 -48C-70 -60 -50 -63 -34 -63L-26 -46C-50 -46 -66 -46 -90 -48Z", "#ffffff", { opacity: 0.12 }),
    circle(84, -52, 9, "#c9ced4"),
    stroke("M84 -52L70 -30L28 -34", "#e6eaee", 4),
    rect(20, -38, 13, 7, "#33373d"),
    circle(96, -26, 4, "#f2c230"),
    circle(78, -26, 4, "#d7dbe0"),
  );
}

export function accordion(x: number, y: number, place: Placement, colour = "#b3262f"): Drawing {
  return at(
    x,
    y,
    place,
    repeat(9, (i) =>
      polygon(
        `${-44 + i * 10},-88 ${-34 + i * 10},-94 ${-34 + i * 10},-2 ${-44 + i * 10},-8`,
        i % 2 ? "#2a2b31" : "#4a4c54",
      ),
    ),
    rect(-104, -100, 62, 104, colour, { round: 10 }),
    rect(48, -100, 54, 104, colour, { round: 10 }),
    rect(-98, -92, 24, 88, "#fbfaf5", { round: 3 }),
    repeat(9, (i) => stroke(`M-98 ${-84 + i * 9}h24`, "#b9bcc2", 1)),
    repeat(6, (i) => rect(-98, -88 + i * 14, 14, 5, "#1c1d22")),
    repeat(4, (r) => repeat(3, (i) => circle(60 + i * 14, -84 + r * 22, 4, "#f7e8c4"))),
    stroke("M-64 -80q10 8 0 16t0 16t0 16", "#f2cf6c", 3),
  );
}

export function note(x: number, y: number, place: Placement, colour = "#3b3f58"): Drawing {
  return at(
    x,
    y,
    place,
    ellipse(-8, 0, 7, 5, colour, { rotate: -20 }),
    ellipse(16, -4, 7, 5, colour, { rotate: -20 }),
    stroke("M-2 -2V-32L22 -37V-6", colour, 2.6),
    stroke("M-2 -30L22 -35", colour, 6),
  );
}

export function headphones(x: number, y: number, place: Placement, colour = "#2f3440"): Drawing {
  return at(
    x,
    y,
    place,
    stroke("M-52 -30C-56 -112 56 -112 52 -30", colour, 10),
    stroke("M-42 -80C-24 -102 24 -102 42 -80", downward("#7c8494", "#565d6b"), 6),
    rect(-68, -56, 26, 58, colour, { round: 12 }),
    rect(42, -56, 26, 58, colour, { round: 12 }),
    rect(-48, -52, 14, 50, "#e2803f", { round: 7 }),
    rect(34, -52, 14, 50, "#e2803f", { round: 7 }),
  );
}
