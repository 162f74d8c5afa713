import { pick, randomNumbers, repeat } from "../drawing/scatter.ts";
import {
  at,
  circle,
  downward,
  ellipse,
  fade,
  path,
  polygon,
  rect,
  stroke,
  type Drawing,
  type Paint,
  type Placement,
} from "../drawing/svg.ts";

/** Wall and floor of a room; the floor begins at `floorY`. */
export function room(wall: Paint, floor: string, floorY = 262, boards = true): Drawing {
  return [
    rect(0, 0, 480, floorY, wall),
    rect(0, floorY, 480, 360 - floorY, floor),
    boards
      ? repeat(9, (i) =>
          stroke(`M${240 + (i - 4) * 54} ${floorY}L${240 + (i - 4) * 112} 360`, "#000000", 1.4, {
            opacity: 0.12,
          }),
        )
      : [],
    rect(0, floorY - 8, 480, 8, "#ffffff", { opacity: 0.75 }),
    rect(0, floorY, 480, 26, fade("#000000", 0.12, 0)),
  ];
}

/** About 220 wide and 90 high. */
export function sofa(x: number, y: number, place: Placement, colour = "#4f86a8", dark = "#3b6a88"): Drawing {
  return at(
    x,
    y,
    place,
    ellipse(0, 2, 118, 8, "#10202c", { opacity: 0.2 }),
    rect(-92, -92, 184, 62, colour, { round: 14 }),
    rect(-3, -86, 3, 50, dark, { opacity: 0.5 }),
    rect(-90, -46, 90, 26, dark, { round: 8 }),
    rect(0, -46, 90, 26, dark, { round: 8 }),
    rect(-88, -48, 86, 20, colour, { round: 8 }),
    rect(2, -48, 86, 20, colour, { round: 8 }),
    rect(-112, -66, 28, 58, dark, { round: 12 }),
    rect(84, -66, 28, 58, dark, { round: 12 }),
    rect(-100, -24, 200, 16, dark, { round: 5 }),
    rect(-94, -8, 9, 10, "#5b3d26"),
    rect(85, -8, 9, 10, "#5b3d26"),
  );
}

export function cushion(x: number, y: number, colour: string, rotate = 0): Drawing {
  return at(
    x,
    y,
    { rotate },
    path("M-17 -17Q0 -12 17 -17Q12 0 17 17Q0 12 -17 17Q-12 0 -17 -17Z", colour),
    path("M-17 -17Q0 -12 17 -17Q14 -8 13 0Q0 6 -13 0Q-14 -8 -17 -17Z", "#ffffff", { opacity: 0.14 }),
  );
}

export function armchair(
  x: number,
  y: number,
  place: Placement,
  colour = "#c9713f",
  dark = "#a3562c",
): Drawing {
  return at(
    x,
    y,
    place,
    ellipse(0, 2, 64, 7, "#10202c", { opacity: 0.2 }),
    rect(-44, -100, 88, 76, colour, { round: 18 }),
    rect(-42, -46, 84, 26, colour, { round: 9 }),
    rect(-42, -38, 84, 18, dark, { round: 8, opacity: 0.4 }),
    rect(-58, -66, 24, 60, dark, { round: 11 }),
    rect(34, -66, 24, 60, dark, { round: 11 }),
    rect(-50, -20, 100, 13, dark, { round: 5 }),
    rect(-48, -8, 8, 9, "#5b3d26"),
    rect(40, -8, 8, 9, "#5b3d26"),
  );
}

export function bed(x: number, y: number, place: Placement, blanket = "#7a9cc6"): Drawing {
  return at(
    x,
    y,
    place,
    ellipse(0, 2, 132, 8, "#10202c", { opacity: 0.2 }),
    rect(-128, -96, 16, 98, "#8a5a34", { round: 5 }),
    rect(112, -58, 14, 60, "#8a5a34", { round: 5 }),
    rect(-116, -34, 232, 24, "#9c6a3f"),
    rect(-116, -56, 232, 28, "#fbf8f0", { round: 8 }),
    path("M-106 -52C-108 -74 -62 -76 -58 -54Z", "#ffffff"),
    path("M-106 -52C-84 -56 -70 -56 -58 -54L-60 -50H-104Z", "#dfe4ea"),
    path("M-50 -60C-20 -66 60 -64 114 -58V-22C60 -18 0 -18 -54 -22Z", blanket),
    path("M-50 -60C-44 -62 -36 -63 -28 -63L-34 -21L-54 -22Z", "#ffffff", { opacity: 0.5 }),
    rect(-120, -12, 236, 7, "#7a4e2c"),
  );
}

export function table(x: number, y: number, w: number, h: number, colour = "#a5713f"): Drawing {
  return [
    ellipse(x, y + 1, w / 2, 6, "#10202c", { opacity: 0.18 }),
    rect(x - w / 2 + 8, y - h, 9, h, colour),
    rect(x + w / 2 - 17, y - h, 9, h, colour),
    rect(x - w / 2, y - h - 8, w, 10, colour, { round: 3 }),
    rect(x - w / 2, y - h, w, 3, "#000000", { opacity: 0.16 }),
  ];
}

export function chair(x: number, y: number, place: Placement, colour = "#8a5a34"): Drawing {
  return at(
    x,
    y,
    place,
    stroke("M-20 0V-44M20 0V-44M-20 -44V-96", colour, 6),
    rect(-24, -50, 50, 9, colour, { round: 3 }),
    rect(-23, -96, 7, 34, colour, { round: 3 }),
    stroke("M-20 -22H20", colour, 4),
  );
}

/** A window with what is seen through it. */
export function windowFrame(
  x: number,
  y: number,
  w: number,
  h: number,
  view: Paint,
  frame = "#ffffff",
): Drawing {
  return [
    rect(x - 5, y - 5, w + 10, h + 10, frame, { round: 2 }),
    rect(x, y, w, h, view),
    polygon(
      `${x + w * 0.1},${y + h} ${x + w * 0.5},${y} ${x + w * 0.64},${y} ${x + w * 0.24},${y + h}`,
      "#ffffff",
      { opacity: 0.14 },
    ),
  ];
}

export function windowBars(x: number, y: number, w: number, h: number, frame = "#ffffff"): Drawing {
  return [
    rect(x + w / 2 - 2.5, y, 5, h, frame),
    rect(x, y + h / 2 - 2.5, w, 5, frame),
    rect(x - 10, y + h + 3, w + 20, 8, frame, { round: 2 }),
  ];
}

export function curtains(x: number, y: number, w: number, h: number, colour: string): Drawing {
  const side = (cx: number, flip: boolean) =>
    at(
      cx,
      y,
      { flip },
      path(`M0 0H${w * 0.26}C${w * 0.26} ${h * 0.5} ${w * 0.16} ${h * 0.7} ${w * 0.14} ${h}H-4Z`, colour),
      stroke(
        `M${w * 0.06} 4V${h - 4}M${w * 0.15} 4C${w * 0.15} ${h * 0.5} ${w * 0.1} ${h * 0.7} ${w * 0.09} ${h - 4}`,
        "#000000",
        1.6,
        { opacity: 0.14 },
      ),
    );
  return [side(x - 12, false), side(x + w + 12, true), stroke(`M${x - 24} ${y}H${x + w + 24}`, "#7a5230", 5)];
}

export function picture(
  x: number,
  y: number,
  w: number,
  h: number,
  paint: Paint,
  frame = "#6b4a2b",
): Drawing {
  return [
    rect(x - 5, y - 5, w + 10, h + 10, frame),
    rect(x, y, w, h, "#fdfaf2"),
    rect(x + 5, y + 5, w - 10, h - 10, paint),
  ];
}

export function floorLamp(x: number, y: number, place: Placement, shade = "#f4d9a0"): Drawing {
  return at(
    x,
    y,
    place,
    circle(0, -128, 74, {
      kind: "radial",
      angle: 0,
      stops: [
        { offset: 0, colour: "#fff0bf", opacity: 0.55 },
        { offset: 1, colour: "#fff0bf", opacity: 0 },
      ],
    }),
    stroke("M0 -4V-118", "#4b4f55", 4),
    ellipse(0, -2, 20, 4, "#4b4f55"),
    polygon("-18,-146 18,-146 28,-112 -28,-112", shade),
  );
}

export function ceilingLamp(x: number, length: number, colour = "#c9713f"): Drawing {
  return [
    stroke(`M${x} 0V${length}`, "#3b3f45", 2.4),
    path(
      `M${x - 30} ${length + 24}C${x - 28} ${length} ${x - 10} ${length - 4} ${x} ${length - 4}C${x + 10} ${length - 4} ${x + 28} ${length} ${x + 30} ${length + 24}Z`,
      colour,
    ),
    ellipse(x, length + 24, 12, 5, "#fff3c4"),
  ];
}

/** A shelf of books with their backs to the viewer. */
export function bookRow(x: number, y: number, w: number, seed: number, height = 34): Drawing {
  const random = randomNumbers(seed);
  const colours = ["#b4513c", "#d9a441", "#4f7f6b", "#3f6a9a", "#7b5a8a", "#c97b63", "#e6d5b0", "#5a6b4b"];
  const books: Drawing[] = [];
  for (let left = x; left < x + w - 6;) {
    const thick = 5 + random() * 7;
    const tall = height * (0.72 + random() * 0.28);
    if (left + thick > x + w) break;
    const colour = pick(colours, random);
    books.push(
      rect(left, y - tall, thick, tall, colour, { round: 1 }),
      rect(left, y - tall + 5, thick, 2.4, "#ffffff", { opacity: 0.4 }),
    );
    left += thick + (random() > 0.9 ? 6 : 0.6);
  }
  return books;
}

export function bookcase(
  x: number,
  y: number,
  w: number,
  shelves: number,
  seed: number,
  wood = "#8a5a34",
): Drawing {
  const gap = 44;
  const h = shelves * gap + 8;
  return [
    rect(x, y - h, w, h, wood),
    repeat(shelves, (i) => [
      rect(x + 6, y - h + 6 + i * gap, w - 12, gap - 6, "#5d3b20"),
      bookRow(x + 8, y - h + gap + i * gap, w - 16, seed + i),
    ]),
  ];
}

export function rug(x: number, y: number, rx: number, ry: number, colours: readonly string[]): Drawing {
  return colours.map((colour, i) => ellipse(x, y, rx * (1 - i * 0.2), ry * (1 - i * 0.2), colour));
}

export function laptop(
  x: number,
  y: number,
  place: Placement,
  screen: Paint = downward("#4f86d9", "#2c4f92"),
): Drawing {
  return at(
    x,
    y,
    place,
    rect(-40, -54, 80, 52, "#2b3038", { round: 4 }),
    rect(-36, -50, 72, 44, screen, { round: 2 }),
    repeat(4, (i) =>
      rect(-28, -42 + i * 8, [34, 48, 26, 40][i] as number, 3, "#ffffff", { opacity: 0.75, round: 1 }),
    ),
    path("M-48 0L-40 -4H40L48 0Z", "#c7cdd4"),
  );
}

export function mug(x: number, y: number, place: Placement, colour = "#e5793d", steam = true): Drawing {
  return at(
    x,
    y,
    place,
    steam
      ? stroke("M-4 -28c-6 -6 4 -10 -1 -17M6 -28c-6 -6 4 -10 -1 -17", "#ffffff", 2.2, { opacity: 0.7 })
      : [],
    stroke("M12 -18C22 -19 22 -6 11 -6", colour, 4),
    path("M-13 -24H13L11 0H-11Z", colour),
    ellipse(0, -24, 13, 3, "#5b3a22"),
  );
}

export function teddy(x: number, y: number, place: Placement, colour = "#b98049"): Drawing {
  return at(
    x,
    y,
    place,
    ellipse(-17, -6, 11, 8, colour),
    ellipse(17, -6, 11, 8, colour),
    ellipse(0, -22, 19, 21, colour),
    ellipse(0, -20, 11, 13, "#e2bf92"),
    ellipse(-19, -30, 6, 12, colour, { rotate: 30 }),
    ellipse(19, -30, 6, 12, colour, { rotate: -30 }),
    circle(-12, -63, 7, colour),
    circle(12, -63, 7, colour),
    circle(0, -52, 17, colour),
    ellipse(0, -47, 8, 6, "#e2bf92"),
    circle(-6, -55, 1.9, "#241a14"),
    circle(6, -55, 1.9, "#241a14"),
    ellipse(0, -49, 2.6, 2, "#241a14"),
  );
}
