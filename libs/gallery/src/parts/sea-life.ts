import { repeat } from "../drawing/scatter.ts";
import {
  at,
  circle,
  clipped,
  downward,
  ellipse,
  fade,
  path,
  polygon,
  rect,
  stroke,
  type Drawing,
  type Placement,
} from "../drawing/svg.ts";
import { eye } from "./quadruped.ts";

/** Leaps out of the water to the upper right; about 230 long. */
export function whale(x: number, y: number, place: Placement): Drawing {
  return at(
    x,
    y,
    place,
    path("M-90 40C-96 -20 -40 -90 40 -96C74 -98 92 -78 84 -58C70 -20 20 20 -30 44Z", "#31506f"),
    path("M84 -58C70 -20 20 20 -30 44L-58 44C-30 10 30 -20 84 -66Z", "#e6eef3"),
    repeat(5, (i) =>
      stroke(
        `M${72 - i * 6} ${-50 + i * 8}C${50 - i * 8} ${-16 + i * 7} ${16 - i * 8} ${10 + i * 5} ${-24 - i * 5} 40`,
        "#b9c8d2",
        1.4,
      ),
    ),
    path("M-6 -6C-40 -16 -70 -6 -84 14C-60 14 -30 12 -2 4Z", "#24405c"),
    eye(46, -66, 2.8),
    stroke("M84 -62C66 -50 54 -50 42 -54", "#24405c", 2),
  );
}

/** A leaping dolphin, nose to the right. */
export function dolphin(x: number, y: number, place: Placement): Drawing {
  return at(
    x,
    y,
    place,
    path(
      "M-74 26C-60 -20 -10 -44 34 -28C44 -24 50 -18 58 -12L76 -4C78 0 74 4 68 3C60 4 54 4 48 2C20 -6 -30 -4 -58 24Z",
      "#5a86a8",
    ),
    path("M68 3C60 4 54 4 48 2C24 -6 -16 -6 -44 14C-20 -14 24 -18 60 -2Z", "#dbe8ef"),
    path("M-8 -34C-12 -50 -22 -56 -32 -58C-26 -46 -26 -38 -28 -30Z", "#4a7394"),
    path("M14 -8C10 6 0 14 -10 18C-8 6 -6 -2 0 -10Z", "#4a7394"),
    path(
      "M-66 22C-84 18 -96 26 -100 36C-88 34 -78 36 -72 42C-68 50 -60 54 -52 54C-56 42 -58 32 -58 24Z",
      "#4a7394",
    ),
    eye(46, -12, 2.3),
    stroke("M74 0q-10 2 -18 -2", "#3c627f", 1.5),
  );
}

export function shark(x: number, y: number, place: Placement): Drawing {
  return at(
    x,
    y,
    place,
    path("M-96 0L-124 -34C-110 -32 -100 -22 -92 -8ZM-96 0L-116 24C-104 22 -96 14 -90 4Z", "#4f6272"),
    path("M-100 0C-60 -34 30 -42 80 -14C92 -6 96 2 88 6C40 28 -50 22 -100 0Z", "#62788a"),
    path("M88 6C40 28 -50 22 -96 2C-40 8 40 8 92 0Z", "#e9eff2"),
    path("M-14 -28L-2 -62C8 -46 20 -36 32 -30Z", "#4f6272"),
    path("M22 10L4 42C26 38 42 26 48 12Z", "#4f6272"),
    stroke("M40 -14v18M48 -14v18M56 -13v17", "#4f6272", 2),
    eye(72, -10, 2.8),
    path("M86 6C76 12 66 12 58 8", "none", { stroke: "#37474f", width: 2 }),
    repeat(4, (i) => polygon(`${62 + i * 6},9 ${65 + i * 6},13 ${68 + i * 6},8`, "#ffffff")),
  );
}

export function octopus(x: number, y: number, place: Placement, colour = "#d9534f"): Drawing {
  const dark = "#b23c3d";
  const arms = [
    "M-18 -6C-50 -2 -64 24 -90 16",
    "M-14 0C-40 18 -44 44 -70 48",
    "M-7 2C-20 26 -18 50 -36 66",
    "M0 2C4 28 -4 48 4 70",
    "M7 2C20 26 18 50 38 64",
    "M14 0C40 18 46 42 72 42",
    "M18 -6C50 -2 62 20 88 6",
  ];
  return at(
    x,
    y,
    place,
    arms.map((d, i) => stroke(d, i % 2 === 0 ? dark : colour, 12)),
    arms.map((d) => stroke(d, "#f6b5a6", 3, { dash: "0.1 8", opacity: 0.85 })),
    path("M-34 -10C-48 -54 -26 -84 0 -84C26 -84 48 -54 34 -10C24 8 -24 8 -34 -10Z", colour),
    ellipse(-12, -26, 8.5, 9.5, "#fff"),
    ellipse(12, -26, 8.5, 9.5, "#fff"),
    ellipse(-11, -25, 4, 5, "#1d1a22"),
    ellipse(13, -25, 4, 5, "#1d1a22"),
    stroke("M-9 -8q9 7 18 0", "#7d2529", 2),
    circle(-18, -58, 5, dark, { opacity: 0.6 }),
    circle(4, -66, 6, dark, { opacity: 0.6 }),
    circle(20, -50, 4, dark, { opacity: 0.6 }),
  );
}

export function seaTurtle(x: number, y: number, place: Placement): Drawing {
  const skin = "#7fa65f";
  const shell = ellipse(0, 0, 46, 34, "#7a6236");
  return at(
    x,
    y,
    place,
    path(
      "M20 -22C40 -60 66 -66 76 -60C66 -46 52 -32 38 -18ZM20 22C34 56 56 66 68 62C62 46 52 32 38 18Z",
      skin,
    ),
    path(
      "M-34 -20C-52 -30 -62 -30 -66 -26C-58 -18 -50 -12 -42 -8ZM-34 20C-52 30 -62 30 -66 26C-58 18 -50 12 -42 8Z",
      skin,
    ),
    ellipse(58, 0, 18, 13, skin),
    eye(66, -5, 2.5),
    shell,
    clipped(
      shell,
      polygon("-12,-14 12,-14 20,0 12,14 -12,14 -20,0", "#a5894f"),
      polygon("-16,-17 14,-17 20,-36 -24,-36", "#937743"),
      polygon("-16,17 14,17 20,36 -24,36", "#937743"),
      polygon("17,-15 24,0 17,15 48,28 48,-28", "#937743"),
      polygon("-17,-15 -24,0 -17,15 -50,28 -50,-28", "#937743"),
    ),
    ellipse(0, 0, 46, 34, "none", { stroke: "#5b4826", width: 3 }),
  );
}

export function jellyfish(x: number, y: number, place: Placement, colour = "#f3a6d3"): Drawing {
  return at(
    x,
    y,
    place,
    repeat(6, (i) =>
      stroke(`M${-25 + i * 10} -4c8 14 -8 26 0 42s-6 22 ${i % 2 ? 4 : -4} ${30 + (i % 3) * 8}`, colour, 2.6, {
        opacity: 0.65,
      }),
    ),
    stroke("M-8 -4c-8 18 8 30 -2 52M8 -4c8 18 -6 30 4 48", "#fde3f1", 6, { opacity: 0.55 }),
    path(
      "M-38 -2C-40 -44 -20 -58 0 -58C20 -58 40 -44 38 -2C28 -8 24 2 14 -4C6 -10 -4 2 -12 -4C-22 -10 -28 2 -38 -2Z",
      colour,
      { opacity: 0.85 },
    ),
    ellipse(-8, -36, 16, 12, "#ffffff", { opacity: 0.35 }),
  );
}

/** A reef fish, nose to the right. */
export function fish(x: number, y: number, place: Placement, colour: string, stripe = "#ffffff"): Drawing {
  const body = path("M-24 0C-12 -20 16 -22 30 0C16 22 -12 20 -24 0Z", colour);
  return at(
    x,
    y,
    place,
    path("M-20 0L-40 -15C-36 -4 -36 4 -40 15Z", colour),
    path("M-8 -14C0 -26 14 -24 18 -13Z", colour),
    body,
    clipped(body, rect(8, -24, 6, 48, stripe), rect(-9, -24, 6, 48, stripe)),
    eye(21, -4, 3),
  );
}

export function coral(
  x: number,
  y: number,
  scale: number,
  colour: string,
  kind: "branch" | "fan" = "branch",
): Drawing {
  return at(
    x,
    y,
    { scale },
    kind === "branch"
      ? stroke(
          "M0 0V-30M0 -14L-16 -32V-52M0 -22L16 -38V-60M0 -30L-4 -64M-16 -40L-26 -50M16 -46L28 -56",
          colour,
          9,
        )
      : [
          path("M-4 0C-40 -20 -44 -60 -20 -72C-4 -80 12 -80 26 -70C48 -54 38 -16 4 0Z", colour, {
            opacity: 0.85,
          }),
          stroke(
            "M0 0V-70M0 -10C-16 -26 -28 -40 -30 -54M0 -10C16 -26 28 -40 30 -54M0 -24C-8 -40 -12 -56 -14 -70M0 -24C8 -40 12 -56 14 -70",
            "#ffffff",
            1.6,
            { opacity: 0.5 },
          ),
        ],
  );
}

export function seaweed(x: number, y: number, scale: number, colour = "#2f8f6b"): Drawing {
  return at(
    x,
    y,
    { scale },
    stroke(
      "M0 0c-12 -20 10 -34 0 -54s8 -32 0 -50M14 0c10 -16 -8 -28 2 -44s-6 -24 0 -36M-14 0c-8 -14 8 -24 -2 -40",
      colour,
      6,
    ),
  );
}

/** Fills the picture with water that lets light in from above. */
export function underwater(top = "#3fb2d6", bottom = "#0c3f73"): Drawing {
  return [
    rect(0, 0, 480, 360, downward(top, bottom)),
    repeat(5, (i) =>
      polygon(
        `${30 + i * 96},-10 ${70 + i * 100},-10 ${20 + i * 118},330 ${-60 + i * 112},330`,
        fade("#ffffff", 0.16, 0),
      ),
    ),
  ];
}

export function bubbles(x: number, y: number, count: number): Drawing {
  return repeat(count, (i) =>
    circle(x + Math.sin(i * 2.1) * 10, y - i * 17, 2.5 + ((i * 7) % 5), "#ffffff", {
      opacity: 0.28,
      stroke: "#ffffff",
      width: 1,
    }),
  );
}
