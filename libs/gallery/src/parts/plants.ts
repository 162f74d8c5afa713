import { pick, repeat, scatter } from "../drawing/scatter.ts";
import {
  at,
  circle,
  ellipse,
  path,
  polygon,
  rect,
  stroke,
  type Drawing,
  type Placement,
} from "../drawing/svg.ts";

// Each stands on (x, y) and is about 100 high at scale 1.

export function leafyTree(
  x: number,
  y: number,
  scale = 1,
  leaves: readonly [string, string, string] = ["#3f8f44", "#57a94f", "#7cc465"],
): Drawing {
  const [dark, mid, light] = leaves;
  return at(
    x,
    y,
    { scale },
    path("M-6 0C-4 -18 -5 -32 -4 -48L5 -48C5 -32 5 -18 8 0Z", "#7a5233"),
    stroke("M0 -40L-14 -58M1 -44L15 -60", "#7a5233", 4),
    ellipse(0, -66, 36, 26, dark),
    circle(-20, -68, 19, mid),
    circle(19, -70, 20, mid),
    circle(0, -84, 22, mid),
    circle(-8, -86, 13, light, { opacity: 0.8 }),
    circle(15, -76, 9, light, { opacity: 0.7 }),
  );
}

export function autumnTree(x: number, y: number, scale = 1): Drawing {
  return leafyTree(x, y, scale, ["#b4491f", "#df7a2b", "#f4b045"]);
}

export function blossomTree(x: number, y: number, scale = 1): Drawing {
  return leafyTree(x, y, scale, ["#e58aa9", "#f4abc4", "#fdd6e2"]);
}

export function pine(x: number, y: number, scale = 1, snow = false, colour = "#2f6b4f"): Drawing {
  const tier = (top: number, half: number, bottom: number) =>
    polygon(`0,${top} ${half},${bottom} ${-half},${bottom}`, colour);
  const cap = (top: number, half: number, bottom: number) =>
    path(
      `M0 ${top}L${half} ${bottom}Q${half / 2} ${bottom - 5} 0 ${bottom - 1}Q${-half / 2} ${bottom - 6} ${-half} ${bottom}Z`,
      "#f4f9fd",
    );
  return at(
    x,
    y,
    { scale },
    rect(-4, -16, 8, 16, "#6a4630"),
    tier(-62, 30, -12),
    snow ? cap(-62, 18, -36) : [],
    tier(-82, 24, -36),
    snow ? cap(-82, 14, -60) : [],
    tier(-100, 17, -62),
    snow ? cap(-100, 11, -80) : [],
  );
}

export function pineWood(
  seed: number,
  y: number,
  colours: readonly string[],
  scale = 0.6,
  snow = false,
): Drawing {
  return scatter(seed, 26, { x: -10, y: y - 6, w: 500, h: 12 }, (x, ty, random) =>
    pine(x, ty, scale * (0.7 + random() * 0.6), snow, pick(colours, random)),
  );
}

export function bareTree(x: number, y: number, scale = 1, colour = "#4b3a33"): Drawing {
  return at(
    x,
    y,
    { scale },
    path("M-7 0C-4 -24 -5 -36 -3 -52L4 -52C4 -36 5 -24 8 0Z", colour),
    stroke(
      "M0 -46C-8 -60 -20 -66 -30 -82M-14 -64C-22 -66 -30 -66 -38 -70M1 -48C8 -64 18 -70 27 -90M13 -68C22 -70 30 -70 38 -78M0 -50C0 -66 -4 -80 -2 -100M-2 -78C-8 -86 -12 -90 -14 -98M0 -72C6 -82 8 -90 8 -98",
      colour,
      3.4,
    ),
  );
}

export function palm(x: number, y: number, scale = 1, lean = 14): Drawing {
  const frond = (angle: number, colour: string) =>
    at(lean, -96, { rotate: angle }, path("M0 0C14 -16 36 -16 52 4C36 -4 18 -4 0 0Z", colour));
  return at(
    x,
    y,
    { scale },
    path(
      `M-6 0C-4 -40 ${lean - 12} -70 ${lean - 3} -98L${lean + 4} -96C${lean - 3} -66 4 -40 6 0Z`,
      "#9b7146",
    ),
    repeat(6, (i) => stroke(`M${-5 + i * lean * 0.11} ${-10 - i * 14}q5 3 10 0`, "#7d5833", 1.4)),
    frond(-155, "#2f8a4a"),
    frond(-200, "#3a9c52"),
    frond(-115, "#2f8a4a"),
    frond(-70, "#3a9c52"),
    frond(-25, "#46ad5c"),
    frond(20, "#3a9c52"),
    circle(lean - 3, -92, 4, "#6b4423"),
    circle(lean + 5, -91, 4, "#7c5230"),
  );
}

export function bush(
  x: number,
  y: number,
  scale = 1,
  colours: readonly [string, string] = ["#3f8a45", "#5da653"],
): Drawing {
  return at(
    x,
    y,
    { scale },
    ellipse(0, -12, 34, 15, colours[0]),
    circle(-17, -15, 13, colours[1]),
    circle(0, -22, 16, colours[1]),
    circle(18, -15, 13, colours[1]),
    rect(-32, -6, 64, 6, colours[0], { round: 3 }),
  );
}

export function cactus(x: number, y: number, scale = 1): Drawing {
  const green = "#4d9a5b";
  return at(
    x,
    y,
    { scale },
    stroke("M0 -10V-88", green, 20),
    stroke("M0 -34H-24V-62", green, 13),
    stroke("M0 -46H24V-76", green, 13),
    stroke("M-4 -4V-90M5 -4V-90M-24 -40V-62M24 -52V-76", "#3a7d49", 1.6, { opacity: 0.7 }),
    circle(0, -99, 5, "#f27aa0"),
    circle(24, -83, 4, "#f27aa0"),
  );
}

export function sunflower(x: number, y: number, scale = 1): Drawing {
  return at(
    x,
    y,
    { scale },
    stroke("M0 0C3 -24 -2 -40 0 -66", "#4c8b3a", 4.5),
    path("M0 -24C-14 -34 -24 -30 -28 -20C-18 -16 -8 -18 0 -24Z", "#5ea548"),
    path("M0 -36C14 -46 24 -42 28 -32C18 -28 8 -30 0 -36Z", "#5ea548"),
    repeat(16, (i) =>
      at(0, -78, { rotate: i * 22.5 }, ellipse(0, -17, 4.6, 10, i % 2 === 0 ? "#ffc928" : "#f7b21b")),
    ),
    circle(0, -78, 11.5, "#6d4420"),
    circle(0, -78, 7, "#4c2d12"),
  );
}

export function tulip(x: number, y: number, scale = 1, colour = "#e5484d"): Drawing {
  return at(
    x,
    y,
    { scale },
    stroke("M0 0V-30", "#4c8b3a", 3),
    path("M0 -2C-10 -8 -12 -18 -10 -26C-4 -18 -1 -10 0 -2Z", "#5ea548"),
    path("M0 -2C8 -8 11 -16 10 -22C4 -16 1 -10 0 -2Z", "#6fb354"),
    path("M-9 -46C-11 -34 -6 -29 0 -29C6 -29 11 -34 9 -46L4 -40L0 -48L-4 -40Z", colour),
  );
}

export function grassTuft(x: number, y: number, scale = 1, colour = "#5b9c46"): Drawing {
  return at(
    x,
    y,
    { scale },
    stroke(
      "M0 0C-2 -10 -8 -16 -12 -20M0 0C-1 -12 -2 -20 -3 -27M0 0C2 -12 6 -18 10 -24M0 0C4 -8 10 -12 16 -14",
      colour,
      2.4,
    ),
  );
}

export function mushroom(x: number, y: number, scale = 1, cap = "#d8412f"): Drawing {
  return at(
    x,
    y,
    { scale },
    path("M-9 0C-6 -16 -7 -30 -7 -44L7 -44C7 -30 6 -16 9 0Q0 4 -9 0Z", "#f6ecd9"),
    path("M-34 -42C-34 -70 -16 -82 0 -82C16 -82 34 -70 34 -42Q0 -32 -34 -42Z", cap),
    ellipse(0, -41, 33, 5, "#e8d8bd"),
    circle(-16, -58, 5, "#fff6ea"),
    circle(4, -68, 6, "#fff6ea"),
    circle(19, -54, 4.5, "#fff6ea"),
    circle(-3, -52, 3, "#fff6ea"),
  );
}

/** A plant in a pot. */
export function pottedPlant(
  x: number,
  y: number,
  scale = 1,
  kind: "leaves" | "snake" | "fern" = "leaves",
  pot = "#c9713f",
): Drawing {
  const leaf = (angle: number, length: number, colour: string) =>
    at(
      0,
      -26,
      { rotate: angle },
      path(
        `M0 0C-12 ${-length * 0.4} -9 ${-length * 0.8} 0 ${-length}C9 ${-length * 0.8} 12 ${-length * 0.4} 0 0Z`,
        colour,
      ),
    );
  const blade = (angle: number, length: number, colour: string) =>
    at(
      0,
      -24,
      { rotate: angle },
      path(
        `M-5 0C-6 ${-length * 0.6} -2 ${-length * 0.9} 0 ${-length}C3 ${-length * 0.9} 6 ${-length * 0.6} 5 0Z`,
        colour,
      ),
    );
  const foliage: Record<typeof kind, Drawing> = {
    leaves: [
      leaf(-62, 46, "#3f8f4f"),
      leaf(62, 46, "#3f8f4f"),
      leaf(-34, 56, "#4ba45c"),
      leaf(34, 56, "#4ba45c"),
      leaf(-8, 66, "#5cb76a"),
      leaf(14, 58, "#4ba45c"),
    ],
    snake: [
      blade(-22, 52, "#2f7550"),
      blade(22, 56, "#3b8a5e"),
      blade(-9, 70, "#4a9c6b"),
      blade(10, 74, "#2f7550"),
      blade(0, 60, "#86bd7a"),
    ],
    fern: repeat(11, (i) =>
      stroke(
        `M0 -26Q${(i - 5) * 5} ${-66 + Math.abs(i - 5) * 3} ${(i - 5) * 11} ${-46 + Math.abs(i - 5) * 7}`,
        i % 2 === 0 ? "#4fa052" : "#6bbb5e",
        3.4,
      ),
    ),
  };
  return at(
    x,
    y,
    { scale },
    foliage[kind],
    path("M-20 -26H20L15 0H-15Z", pot),
    rect(-23, -32, 46, 9, pot, { round: 3 }),
    rect(-23, -26, 46, 4, "#000000", { opacity: 0.14 }),
  );
}

/** Fallen leaves. */
export function leafLitter(
  seed: number,
  count: number,
  area: { x: number; y: number; w: number; h: number },
): Drawing {
  const place = (r: number): Placement => ({ rotate: r * 360, scale: 0.7 + r * 0.7 });
  return scatter(seed, count, area, (x, y, random) =>
    at(
      x,
      y,
      place(random()),
      path("M0 -6C5 -3 5 3 0 6C-5 3 -5 -3 0 -6Z", pick(["#d9702b", "#e9a23b", "#b44a22", "#f0c35c"], random)),
    ),
  );
}
