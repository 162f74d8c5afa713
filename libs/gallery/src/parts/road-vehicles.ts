import { repeat } from "../drawing/scatter.ts";
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
  type Placement,
} from "../drawing/svg.ts";

// All stand on y = 0, centred, and drive to the right.

const GLASS = downward("#d8eefa", "#9cc6e0");

export function wheel(x: number, r: number, hub = "#c9ced4"): Drawing {
  return [
    circle(x, -r, r, "#23262b"),
    circle(x, -r, r * 0.55, hub),
    circle(x, -r, r * 0.18, "#5a6068"),
    repeat(5, (i) => {
      const a = (i / 5) * Math.PI * 2;
      return circle(x + Math.cos(a) * r * 0.36, -r + Math.sin(a) * r * 0.36, r * 0.07, "#7b828b");
    }),
  ];
}

/** About 130 wide and 50 high. */
export function car(x: number, y: number, place: Placement, colour: string, roof: Drawing = []): Drawing {
  return at(
    x,
    y,
    place,
    path(
      "M-64 -12V-26C-62 -32 -48 -33 -40 -34L-22 -52C-18 -55 20 -56 26 -52L42 -34C54 -33 63 -30 64 -24V-12Z",
      colour,
    ),
    path("M-34 -34L-19 -48H-2V-34ZM3 -34V-48H22L35 -34Z", GLASS),
    rect(-65, -20, 130, 6, "#000000", { opacity: 0.12 }),
    rect(-10, -30, 9, 2.4, "#ffffff", { opacity: 0.6, round: 1 }),
    ellipse(60, -25, 4, 4, "#fff3c4"),
    rect(-65, -28, 5, 6, "#d9322f", { round: 2 }),
    wheel(-38, 12),
    wheel(40, 12),
    roof,
  );
}

export function taxi(x: number, y: number, place: Placement): Drawing {
  return car(x, y, place, "#f7c325", [
    rect(-12, -61, 24, 8, "#fff5d2", { round: 2, stroke: "#3a3a3a", width: 1 }),
    repeat(9, (i) => rect(-26 + i * 6, i % 2 ? -24 : -27, 6, 3, "#26282c")),
  ]);
}

/** About 180 wide and 118 high. */
export function doubleDecker(x: number, y: number, place: Placement, colour = "#d6282c"): Drawing {
  return at(
    x,
    y,
    place,
    rect(-92, -122, 184, 112, colour, { round: 10 }),
    rect(-92, -68, 184, 5, "#f6e7c8"),
    repeat(6, (i) => rect(-84 + i * 28, -112, 24, 28, GLASS, { round: 3 })),
    repeat(4, (i) => rect(-58 + i * 28, -58, 24, 26, GLASS, { round: 3 })),
    rect(-85, -58, 20, 46, "#8f1619", { round: 3 }),
    rect(-82, -55, 6, 34, GLASS),
    rect(-74, -55, 6, 34, GLASS),
    rect(58, -58, 30, 28, GLASS, { round: 4 }),
    rect(86, -26, 6, 8, "#fff3c4", { round: 2 }),
    wheel(-50, 15),
    wheel(54, 15),
  );
}

export function truck(x: number, y: number, place: Placement, cab = "#2f6fb5", box = "#eef0f2"): Drawing {
  return at(
    x,
    y,
    place,
    rect(-104, -92, 142, 74, box, { round: 3 }),
    repeat(6, (i) => rect(-94 + i * 23, -88, 2, 66, "#cfd4da")),
    rect(-104, -20, 206, 8, "#3a3f47"),
    path("M44 -14V-76C44 -80 48 -82 52 -82H80C86 -82 90 -78 92 -72L100 -46V-14Z", cab),
    path("M56 -50V-72H80L88 -50Z", GLASS),
    rect(96, -30, 7, 8, "#fff3c4", { round: 2 }),
    rect(58, -40, 12, 3, "#ffffff", { opacity: 0.7 }),
    wheel(-80, 14),
    wheel(-48, 14),
    wheel(72, 14),
  );
}

export function fireEngine(x: number, y: number, place: Placement): Drawing {
  return at(
    x,
    y,
    place,
    rect(-104, -70, 146, 58, "#d3231f", { round: 4 }),
    rect(-104, -40, 206, 8, "#f7efe0"),
    repeat(3, (i) => rect(-94 + i * 42, -64, 36, 20, "#b8bec6", { round: 2 })),
    repeat(3, (i) => repeat(3, (j) => rect(-92 + i * 42, -61 + j * 6, 32, 2, "#8f969f"))),
    path("M44 -12V-78C44 -82 48 -84 52 -84H86C92 -84 95 -80 97 -74L102 -46V-12Z", "#d3231f"),
    path("M54 -50V-76H84L92 -50Z", GLASS),
    rect(60, -93, 24, 9, "#3f8fe8", { round: 3 }),
    circle(72, -90, 26, glow("#6fb6ff", 0.5)),
    at(
      -96,
      -78,
      { rotate: -7 },
      stroke("M0 0H150M0 -10H150", "#dfe3e8", 4),
      repeat(11, (i) => stroke(`M${6 + i * 14} 0V-10`, "#dfe3e8", 3)),
    ),
    rect(-104, -16, 206, 6, "#3a3f47"),
    wheel(-70, 15),
    wheel(72, 15),
  );
}

export function ambulance(x: number, y: number, place: Placement): Drawing {
  return at(
    x,
    y,
    place,
    rect(-80, -84, 112, 72, "#fbfcfd", { round: 6 }),
    path("M28 -12V-62C28 -66 32 -68 38 -68H54L76 -44C80 -42 82 -38 82 -32V-12Z", "#fbfcfd"),
    path("M38 -44V-60H52L66 -44Z", GLASS),
    rect(-80, -38, 162, 8, "#e23b35"),
    rect(-40, -76, 9, 27, "#e23b35"),
    rect(-49, -67, 27, 9, "#e23b35"),
    rect(2, -92, 20, 8, "#3f8fe8", { round: 3 }),
    circle(12, -90, 24, glow("#6fb6ff", 0.5)),
    rect(77, -30, 6, 8, "#fff3c4", { round: 2 }),
    rect(-80, -16, 162, 5, "#c8cdd3"),
    wheel(-48, 14),
    wheel(50, 14),
  );
}

export function tractor(x: number, y: number, place: Placement, colour = "#2f8f46"): Drawing {
  return at(
    x,
    y,
    place,
    stroke("M34 -62V-92", "#4b4f55", 5),
    path("M-44 -96H8V-90H2L6 -56H-42L-38 -90H-44Z", colour),
    path("M-34 -88H-4L-1 -58H-36Z", GLASS),
    path("M-44 -30V-56H4L58 -58C66 -58 68 -54 68 -48V-26H20Z", colour),
    repeat(4, (i) => rect(24 + i * 10, -50, 4, 16, "#1f6a32", { round: 2 })),
    circle(66, -48, 4, "#fff3c4"),
    wheel(-30, 32, "#f2c230"),
    wheel(52, 18, "#f2c230"),
  );
}

export function excavator(x: number, y: number, place: Placement): Drawing {
  const yellow = "#f3b426";
  return at(
    x,
    y,
    place,
    stroke("M-10 -48L36 -104L84 -70L92 -36", yellow, 12),
    stroke("M6 -54L44 -90M40 -100L82 -66", "#8f969f", 4),
    path("M82 -40H106L110 -18C100 -8 88 -10 80 -20Z", "#5a6068"),
    repeat(4, (i) => polygon(`${82 + i * 7},-16 ${86 + i * 7},-6 ${89 + i * 7},-15`, "#444a51")),
    rect(-70, -64, 52, 34, yellow, { round: 5 }),
    path("M-20 -30V-84H6C14 -84 18 -70 18 -58V-30Z", yellow),
    path("M-12 -54V-78H4C10 -78 12 -66 12 -54Z", GLASS),
    rect(-72, -24, 108, 24, "#33373d", { round: 12 }),
    repeat(5, (i) => circle(-58 + i * 20, -12, 8, "#8f969f")),
  );
}

export function bicycle(x: number, y: number, place: Placement, colour = "#2f8f9c"): Drawing {
  const rim = (cx: number): Drawing => [
    circle(cx, -26, 25, "none", { stroke: "#2b2e33", width: 4 }),
    repeat(10, (i) => {
      const a = (i / 10) * Math.PI * 2;
      return stroke(`M${cx} -26L${cx + Math.cos(a) * 23} ${-26 + Math.sin(a) * 23}`, "#9aa1a9", 0.9);
    }),
    circle(cx, -26, 3.5, "#5a6068"),
  ];
  return at(
    x,
    y,
    place,
    rim(-42),
    rim(44),
    stroke("M-42 -26L-18 -64L-4 -26H-42M-18 -64H28L-4 -26M44 -26L28 -64L24 -76", colour, 5),
    stroke("M-18 -64L-21 -74M-30 -76H-12", "#33261c", 5),
    stroke("M24 -76C30 -82 38 -80 38 -74M24 -76L14 -80", "#33261c", 4),
    circle(-4, -26, 7, "#5a6068"),
    stroke("M-4 -26L4 -14M0 -13H9", "#33373d", 3),
  );
}

export function motorcycle(x: number, y: number, place: Placement, colour = "#c9302c"): Drawing {
  return at(
    x,
    y,
    place,
    wheel(-46, 23, "#9aa1a9"),
    wheel(48, 23, "#9aa1a9"),
    stroke("M48 -23L30 -66L20 -72", "#8f969f", 5),
    path("M-22 -20H14L20 -44H-26Z", "#4b5058"),
    circle(-4, -30, 10, "#8f969f"),
    stroke("M-10 -18H-58", "#b8bec6", 6),
    path(
      "M-60 -48C-50 -58 -30 -56 -16 -52L8 -50C20 -66 34 -60 30 -46C24 -38 0 -38 -14 -40C-30 -42 -46 -40 -60 -48Z",
      colour,
    ),
    path("M-56 -52C-44 -62 -24 -60 -12 -53C-24 -48 -44 -48 -56 -52Z", "#22252a"),
    circle(36, -60, 7, "#fff3c4"),
    stroke("M20 -72L8 -78", "#22252a", 4.5),
    path("M26 -30C30 -48 66 -50 72 -30C60 -42 40 -42 26 -30Z", colour),
  );
}

export function camperVan(x: number, y: number, place: Placement, colour = "#4fb0a5"): Drawing {
  return at(
    x,
    y,
    place,
    path("M-72 -12V-40H76V-12Z", colour),
    path("M-72 -40V-72C-72 -80 -66 -82 -60 -82H50C58 -82 62 -78 66 -70L76 -40Z", "#fbf5e6"),
    rect(-72, -42, 148, 5, "#ffffff"),
    repeat(3, (i) => rect(-62 + i * 34, -73, 28, 24, GLASS, { round: 4 })),
    path("M44 -49V-73H54C58 -73 60 -70 61 -67L66 -49Z", GLASS),
    rect(-46, -96, 74, 5, "#8a5a3a"),
    stroke("M-40 -91V-83M20 -91V-83", "#8a5a3a", 3),
    path("M-42 -96C-30 -104 -6 -104 6 -96Z", "#f0a04b"),
    circle(70, -28, 6, "#fff3c4"),
    rect(-74, -16, 152, 5, "#cfd4da", { round: 2 }),
    wheel(-42, 13, "#fbf5e6"),
    wheel(46, 13, "#fbf5e6"),
  );
}

export function iceCreamVan(x: number, y: number, place: Placement): Drawing {
  return at(
    x,
    y,
    place,
    path("M-74 -12V-74C-74 -80 -70 -82 -66 -82H40L72 -46C78 -44 80 -40 80 -34V-12Z", "#fdf3f5"),
    path("M-74 -12V-34H80V-12Z", "#f39ab4"),
    path("M28 -46V-70H38L58 -46Z", GLASS),
    rect(-62, -70, 70, 30, "#6b4a5a", { round: 3 }),
    repeat(7, (i) =>
      path(
        `M${-66 + i * 11.5} -74H${-54.5 + i * 11.5}V-64Q${-60 + i * 11.5} -58 ${-66 + i * 11.5} -64Z`,
        i % 2 ? "#ffffff" : "#f0677f",
      ),
    ),
    rect(-66, -40, 78, 5, "#ffffff"),
    polygon("-30,-84 -16,-84 -23,-62", "#e2a757"),
    path("M-36 -84C-38 -96 -30 -98 -30 -102C-26 -112 -16 -108 -16 -100C-8 -98 -8 -88 -11 -84Z", "#fff6ea"),
    circle(-22, -108, 3.4, "#e5383f"),
    rect(75, -30, 6, 8, "#fff3c4", { round: 2 }),
    wheel(-46, 14),
    wheel(50, 14),
  );
}
