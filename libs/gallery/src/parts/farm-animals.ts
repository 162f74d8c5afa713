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
import { eye, quadruped } from "./quadruped.ts";

/** About 150 wide and 130 high. */
export function horse(
  x: number,
  y: number,
  place: Placement,
  c: { coat: string; dark: string; mane: string } = { coat: "#9a5f36", dark: "#6f4022", mane: "#3a2418" },
  stride: readonly [number, number, number, number] = [8, -8, 8, -6],
): Drawing {
  const body = quadruped({
    coat: c.coat,
    shade: c.dark,
    length: 104,
    depth: 40,
    legs: 50,
    legWidth: 11,
    stride,
    hoof: "#2b211c",
  });
  return at(
    x,
    y,
    place,
    path("M-50 -82C-72 -84 -76 -50 -70 -28C-60 -44 -54 -60 -46 -72Z", c.mane),
    body.drawing,
    path("M22 -84C30 -106 44 -122 60 -130L74 -114C66 -100 60 -74 50 -58Z", c.coat),
    path(
      "M56 -134C66 -138 74 -132 82 -118L98 -98C100 -90 94 -84 86 -87L66 -102C58 -110 54 -122 56 -134Z",
      c.coat,
    ),
    ellipse(91, -93, 8, 7, c.dark, { opacity: 0.6 }),
    path("M58 -134L60 -148L68 -134Z", c.coat),
    eye(72, -118, 2.8),
    circle(94, -95, 1.7, "#20160f"),
    path("M60 -136C40 -130 28 -108 16 -86C28 -92 34 -94 40 -104C46 -112 54 -120 64 -126Z", c.mane),
  );
}

export function cow(x: number, y: number, place: Placement, grazing = false): Drawing {
  const body = quadruped({
    coat: "#fbf8f2",
    shade: "#cfc8bb",
    length: 112,
    depth: 48,
    legs: 38,
    legWidth: 12,
    stride: [4, -3, 4, -2],
    hoof: "#3b322d",
  });
  const head: Drawing = [
    path("M-4 -12C-20 -20 -26 -10 -24 -6C-18 -2 -10 -4 -4 -6Z", "#2f2b2b"),
    stroke("M-4 -14C-8 -22 -4 -28 0 -30M12 -14C16 -22 14 -28 10 -30", "#e2d3b0", 4),
    path("M-8 -12C-6 -18 12 -18 16 -12L22 14C22 24 -2 26 -4 14Z", "#2f2b2b"),
    path("M2 -16L8 -16L11 8L0 8Z", "#fbf8f2"),
    ellipse(9, 16, 14, 9, "#f0b9ab"),
    circle(5, 16, 2, "#a0605a"),
    circle(14, 16, 2, "#a0605a"),
    eye(0, -3, 2.3, "#0d0d0d"),
    eye(14, -3, 2.3, "#0d0d0d"),
  ];
  return at(
    x,
    y,
    place,
    stroke("M-54 -76C-66 -70 -64 -44 -62 -36", "#d8d1c5", 4),
    ellipse(-62, -32, 4, 8, "#2f2b2b"),
    ellipse(-20, -34, 15, 9, "#f0b9ab"),
    body.drawing,
    clipped(
      path(body.outline, "#000"),
      path("M-60 -90C-40 -96 -22 -84 -30 -66C-36 -54 -56 -58 -62 -66Z", "#2f2b2b"),
      path("M-4 -92C16 -96 28 -80 20 -66C10 -54 -10 -62 -8 -76Z", "#2f2b2b"),
      ellipse(40, -48, 14, 10, "#2f2b2b"),
    ),
    grazing
      ? [path("M36 -82L66 -52L58 -26L36 -50Z", "#fbf8f2"), at(64, -26, { rotate: 14 }, head)]
      : [path("M30 -84L62 -98L70 -70L44 -52Z", "#fbf8f2"), at(66, -90, {}, head)],
  );
}

export function sheep(x: number, y: number, place: Placement, wool = "#f7f4ec"): Drawing {
  return at(
    x,
    y,
    place,
    repeat(4, (i) =>
      rect([-24, -12, 12, 24][i] as number, -24, 6, 24, i % 2 === 0 ? "#2f2d30" : "#403d41", { round: 3 }),
    ),
    repeat(13, (i) => {
      const a = (i / 13) * Math.PI * 2;
      return circle(Math.cos(a) * 30, -40 + Math.sin(a) * 16, 12, wool);
    }),
    ellipse(0, -40, 34, 20, wool),
    stroke("M-20 -46q5 6 10 0M-2 -34q5 6 10 0M6 -50q5 6 10 0M-22 -30q5 6 10 0", "#d8d2c4", 2),
    path("M32 -62C44 -66 58 -56 58 -44C58 -34 48 -32 42 -36C34 -42 28 -52 32 -62Z", "#3a373b"),
    path("M34 -58C24 -62 20 -54 24 -50C30 -48 34 -52 34 -58Z", "#2a282b"),
    circle(36, -62, 8, wool),
    circle(43, -64, 7, wool),
    eye(48, -52, 2.2, "#f6e8b8"),
    circle(48, -52, 1, "#111"),
  );
}

export function pig(x: number, y: number, place: Placement, colour = "#f3a9ad"): Drawing {
  const dark = "#dd8890";
  return at(
    x,
    y,
    place,
    stroke("M-48 -40c-8 0 -10 -8 -4 -10c6 0 6 8 -2 8c-8 0 -12 -6 -10 -12", dark, 3),
    repeat(4, (i) =>
      rect([-36, -22, 18, 32][i] as number, -20, 11, 20, i % 2 === 0 ? dark : colour, { round: 4 }),
    ),
    ellipse(0, -38, 50, 27, colour),
    path("M28 -60C48 -68 66 -54 66 -38C66 -22 46 -18 34 -26Z", colour),
    path("M30 -58C28 -72 40 -76 48 -66C44 -58 38 -56 30 -58Z", dark),
    ellipse(67, -38, 7, 10, "#e88f98"),
    ellipse(66.5, -41, 1.7, 2.6, "#9b4b56"),
    ellipse(66.5, -34, 1.7, 2.6, "#9b4b56"),
    eye(52, -48, 2.5),
    stroke("M50 -26q6 4 11 0", "#b0606c", 1.6),
    ellipse(-10, -24, 26, 8, "#ffffff", { opacity: 0.18 }),
  );
}

export function hen(x: number, y: number, place: Placement, colour = "#b5622f", tail = "#7d3b1a"): Drawing {
  return at(
    x,
    y,
    place,
    stroke("M-4 -14V-2M8 -14V-2M-10 0L-4 -3L2 0M2 0L8 -3L14 0", "#e7a42e", 3),
    path("M-26 -34C-44 -60 -40 -70 -30 -68C-28 -60 -16 -50 -10 -46Z", tail),
    path(
      "M-32 -38C-30 -12 -8 -8 4 -10C24 -12 32 -30 30 -52C34 -66 14 -70 12 -54C6 -40 -14 -34 -32 -38Z",
      colour,
    ),
    path("M-22 -32C-16 -16 6 -16 10 -32C0 -36 -10 -36 -22 -32Z", tail, { opacity: 0.75 }),
    path("M14 -64C12 -74 18 -76 20 -71C22 -78 28 -76 27 -70C32 -74 34 -68 30 -62Z", "#d9322f"),
    polygon("31,-58 43,-54 31,-51", "#f0b429"),
    path("M29 -50C34 -48 34 -40 30 -40C27 -42 27 -46 29 -50Z", "#d9322f"),
    eye(25, -58, 2.2),
  );
}

export function rooster(x: number, y: number, place: Placement): Drawing {
  const feather = (rotate: number, colour: string) =>
    at(-26, -42, { rotate }, path("M0 0C-26 -10 -36 -34 -22 -52C-22 -34 -8 -18 6 -6Z", colour));
  return at(
    x,
    y,
    place,
    feather(-34, "#1f5b4a"),
    feather(-10, "#2c7a62"),
    feather(14, "#174536"),
    hen(0, 0, { scale: 1.08 }, "#d4822c", "#9b2f22"),
    path("M12 -72C8 -88 18 -90 20 -82C22 -94 31 -92 30 -82C38 -88 40 -76 34 -68Z", "#d9322f"),
  );
}

export function chick(x: number, y: number, place: Placement): Drawing {
  return at(
    x,
    y,
    place,
    stroke("M-3 -6V0M4 -6V0", "#e58f2a", 2.2),
    ellipse(0, -14, 13, 10, "#ffdf57"),
    circle(10, -26, 8.5, "#ffe46d"),
    polygon("17,-27 24,-24 17,-22", "#f0952e"),
    eye(12, -28, 1.7),
    path("M-8 -14C-4 -8 4 -8 6 -14Z", "#eec23a"),
  );
}

/** Floats on its water line. */
export function duck(
  x: number,
  y: number,
  place: Placement,
  kind: "mallard" | "white" | "duckling" = "mallard",
): Drawing {
  const c = {
    mallard: { body: "#a98b6c", wing: "#7b6450", head: "#1f6b4b", bill: "#e9b93a" },
    white: { body: "#fdfcf7", wing: "#e7e2d4", head: "#fdfcf7", bill: "#f0962f" },
    duckling: { body: "#ffe169", wing: "#f0c53f", head: "#ffe169", bill: "#ef8f31" },
  }[kind];
  return at(
    x,
    y,
    place,
    path("M-40 -14C-36 -22 -28 -18 -22 -16C0 -20 24 -20 32 -10C36 0 20 6 0 6C-24 6 -36 0 -40 -14Z", c.body),
    path("M14 -12C16 -24 16 -30 20 -34L34 -30C32 -22 32 -14 30 -8Z", c.head),
    kind === "mallard" ? stroke("M15 -17q8 4 16 1", "#ffffff", 3) : [],
    circle(26, -36, 11, c.head),
    path("M35 -39C44 -38 50 -36 49 -33C44 -31 38 -31 35 -32Z", c.bill),
    eye(29, -39, 2),
    path("M-24 -10C-12 -18 8 -16 14 -8C6 2 -14 2 -24 -10Z", c.wing),
    ellipse(0, 5, 46, 4, "#ffffff", { opacity: 0.28 }),
  );
}

export function goat(x: number, y: number, place: Placement, coat = "#e9e2d4", dark = "#bdb19c"): Drawing {
  const body = quadruped({
    coat,
    shade: dark,
    length: 72,
    depth: 32,
    legs: 34,
    legWidth: 8,
    stride: [5, -5, 5, -3],
    hoof: "#3d342d",
  });
  return at(
    x,
    y,
    place,
    stroke("M-35 -62L-46 -72", coat, 6),
    body.drawing,
    path("M20 -62L38 -90L54 -78L40 -46Z", coat),
    stroke("M40 -92C36 -108 26 -112 18 -108", "#8b7a5e", 5),
    stroke("M46 -94C44 -110 36 -118 28 -116", "#a08d6d", 4.5),
    path("M34 -88C38 -98 52 -98 56 -90L70 -76C72 -68 64 -66 58 -70L42 -74Z", coat),
    path("M58 -70L60 -56L66 -69Z", dark),
    path("M34 -88C24 -86 22 -78 26 -76C32 -76 36 -80 38 -84Z", dark),
    eye(52, -86, 2.2),
    ellipse(68, -75, 2.2, 1.6, "#5a4a42"),
  );
}
