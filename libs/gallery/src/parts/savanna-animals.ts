import { repeat, scatter } from "../drawing/scatter.ts";
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

/** About 170 wide and 130 high. */
export function elephant(x: number, y: number, place: Placement, colour = "#8d949e"): Drawing {
  const dark = "#6f7681";
  const leg = (lx: number, c: string): Drawing => [
    rect(lx, -52, 25, 52, c, { round: 8 }),
    repeat(3, (i) => ellipse(lx + 6 + i * 6.5, -3, 2.6, 2.4, "#e9e4d8")),
  ];
  return at(
    x,
    y,
    place,
    stroke("M-68 -84C-78 -70 -76 -54 -78 -44", dark, 4),
    leg(-34, dark),
    leg(26, dark),
    path(
      "M-70 -60C-74 -104 -44 -122 -6 -120C34 -120 60 -108 60 -72C60 -44 40 -40 -6 -40C-50 -40 -68 -38 -70 -60Z",
      colour,
    ),
    leg(-62, colour),
    leg(4, colour),
    path(
      "M40 -112C60 -126 92 -120 96 -94C100 -72 102 -50 108 -34C110 -22 104 -12 96 -14C92 -16 94 -22 98 -22C96 -30 90 -40 84 -54C66 -56 44 -70 40 -112Z",
      colour,
    ),
    path("M82 -60C92 -48 104 -46 116 -54C106 -56 96 -62 92 -70Z", "#fbf7ea"),
    path("M52 -114C26 -116 18 -94 26 -70C34 -54 50 -60 56 -74C62 -90 64 -106 52 -114Z", dark),
    path("M50 -108C34 -108 28 -94 32 -76C38 -66 48 -70 52 -80C56 -92 58 -102 50 -108Z", "#a3868c", {
      opacity: 0.55,
    }),
    eye(78, -96, 2.8),
    stroke("M99 -58q6 -1 9 -3M101 -46q6 -1 8 -2M104 -34q4 0 6 -2", dark, 1.4),
  );
}

/** About 100 wide and 210 high. */
export function giraffe(x: number, y: number, place: Placement): Drawing {
  const coat = "#eec36c";
  const spot = "#a8662c";
  const body = quadruped({
    coat,
    shade: "#cf9f4c",
    length: 74,
    depth: 38,
    legs: 74,
    legWidth: 9,
    stride: [5, -4, 5, -3],
    hoof: "#4b3421",
  });
  const neck = path("M14 -104C24 -130 34 -160 44 -188L60 -184C54 -154 48 -120 36 -84Z", coat);
  const patches = (seed: number, w: number, h: number, left: number, top: number) =>
    scatter(seed, 26, { x: left, y: top, w, h }, (px, py, random) =>
      polygon(
        repeatPoints(5, (i) => {
          const a = (i / 5) * Math.PI * 2 + random() * 0.4;
          return [px + Math.cos(a) * (5 + random() * 2), py + Math.sin(a) * (4.6 + random() * 2)];
        }),
        spot,
      ),
    );
  return at(
    x,
    y,
    place,
    stroke("M-36 -100C-46 -86 -42 -72 -44 -62", "#cf9f4c", 3.4),
    ellipse(-44, -58, 3, 6, "#4b3421"),
    body.drawing,
    neck,
    clipped(path(body.outline, "#000"), patches(4, 76, 38, -38, -112)),
    clipped(neck, patches(9, 50, 100, 14, -188)),
    stroke("M14 -106C22 -130 32 -160 42 -190", "#9b5d28", 4),
    stroke("M48 -194V-208M57 -193L60 -207", "#cf9f4c", 3.4),
    circle(48, -209, 3, "#4b3421"),
    circle(60, -208, 3, "#4b3421"),
    path("M44 -196L32 -204L36 -190Z", "#cf9f4c"),
    path("M40 -192C44 -202 60 -202 66 -192L82 -178C86 -170 78 -166 70 -170L52 -176Z", coat),
    ellipse(78, -174, 6, 5, "#cf9f4c"),
    eye(58, -191, 2.6),
  );
}

function repeatPoints(count: number, point: (i: number) => readonly [number, number]): string {
  return Array.from({ length: count }, (_, i) => {
    const [px, py] = point(i);
    return `${px.toFixed(1)},${py.toFixed(1)}`;
  }).join(" ");
}

/** About 140 wide and 115 high. */
export function zebra(x: number, y: number, place: Placement): Drawing {
  const coat = "#fbfaf6";
  const body = quadruped({
    coat,
    shade: "#d3d1cb",
    length: 92,
    depth: 38,
    legs: 44,
    legWidth: 10,
    stride: [7, -7, 7, -5],
    hoof: "#25262b",
  });
  const neck = path("M20 -78C28 -98 40 -110 52 -116L68 -102C60 -88 54 -68 44 -52Z", coat);
  return at(
    x,
    y,
    place,
    stroke("M-45 -74C-58 -66 -56 -50 -58 -40", "#25262b", 4),
    body.drawing,
    neck,
    clipped(
      path(body.outline, "#000"),
      repeat(11, (i) =>
        stroke(`M${-44 + i * 9} -88q${i < 4 ? -7 : 6} 22 ${i < 4 ? 4 : 0} 48`, "#25262b", 3.6),
      ),
    ),
    clipped(
      neck,
      repeat(6, (i) => stroke(`M${16 + i * 7} ${-84 - i * 7}l24 16`, "#25262b", 3.4)),
    ),
    stroke("M-34 -34l9 1M-34 -26l8 1M-35 -18l8 1M30 -34l9 1M30 -26l8 1M29 -18l8 1", "#25262b", 2.2),
    path(
      "M50 -122C58 -124 64 -118 72 -106L86 -88C88 -80 82 -76 76 -80L60 -92C52 -100 48 -112 50 -122Z",
      coat,
    ),
    stroke("M60 -118l-4 12M68 -108l-7 10M75 -98l-7 9", "#25262b", 2.6),
    ellipse(82, -84, 6.5, 6, "#3c3c42"),
    path("M52 -120L54 -133L62 -122Z", coat, { stroke: "#25262b", width: 1 }),
    path("M52 -124C36 -118 24 -98 16 -80C28 -86 34 -90 40 -100C46 -108 50 -112 56 -116Z", "#25262b"),
    eye(65, -106, 2.5),
  );
}

/** About 130 wide and 95 high. */
export function lion(x: number, y: number, place: Placement, lying = false): Drawing {
  const coat = "#dba452";
  const dark = "#b57f35";
  const head: Drawing = [
    repeat(14, (i) =>
      at(0, 0, { rotate: (i / 14) * 360 }, ellipse(0, -24, 11, 15, i % 2 ? "#8d4f1f" : "#a55f28")),
    ),
    circle(0, 0, 25, "#a55f28"),
    circle(-14, -17, 6, coat),
    circle(14, -17, 6, coat),
    ellipse(0, 0, 18.5, 19, coat),
    ellipse(-5, 9, 7.5, 6, "#f2dcb0"),
    ellipse(5, 9, 7.5, 6, "#f2dcb0"),
    path("M-5 2H5L0 8Z", "#5a3424"),
    eye(-8, -4, 2.6),
    eye(8, -4, 2.6),
    stroke("M0 8v3M0 11q-4 4 -8 1M0 11q4 4 8 1", "#5a3424", 1.4),
  ];
  if (lying) {
    return at(
      x,
      y,
      place,
      stroke("M-62 -10C-84 -6 -92 -18 -96 -26", dark, 6),
      circle(-97, -28, 7, "#8d4f1f"),
      path("M-68 0C-72 -34 -44 -46 -14 -42C18 -40 44 -38 46 0Z", coat),
      ellipse(-44, -11, 24, 14, dark, { opacity: 0.4 }),
      rect(16, -12, 62, 12, coat, { round: 6 }),
      at(40, -50, { scale: 1.05 }, head),
    );
  }
  const body = quadruped({
    coat,
    shade: dark,
    length: 92,
    depth: 36,
    legs: 38,
    legWidth: 13,
    stride: [10, -8, 10, -8],
  });
  return at(
    x,
    y,
    place,
    stroke("M-44 -62C-66 -60 -72 -40 -80 -44", coat, 6),
    circle(-82, -45, 7, "#8d4f1f"),
    body.drawing,
    at(48, -68, { scale: 1.05 }, head),
  );
}

/** About 130 wide and 130 high. */
export function camel(x: number, y: number, place: Placement, saddle = "#c0392f"): Drawing {
  const coat = "#cf9f62";
  const body = quadruped({
    coat,
    shade: "#a87b43",
    length: 92,
    depth: 34,
    legs: 56,
    legWidth: 10,
    stride: [8, -8, 8, -6],
    hoof: "#8a6436",
  });
  return at(
    x,
    y,
    place,
    stroke("M-46 -80C-54 -70 -52 -60 -54 -54", "#a87b43", 4),
    body.drawing,
    path("M-28 -84C-22 -112 2 -116 12 -86Z", coat),
    path("M-26 -86C-20 -104 2 -108 11 -86L14 -66H-30Z", saddle),
    stroke("M-30 -68h44M-27 -76h38", "#f3cf6b", 3),
    path("M30 -86C40 -66 56 -64 62 -92L66 -116L78 -112C80 -84 72 -50 46 -50Z", coat),
    path("M58 -116C60 -128 76 -130 84 -122L100 -116C106 -110 100 -104 94 -104L74 -104Z", coat),
    path("M60 -120L56 -128L66 -126Z", "#a87b43"),
    eye(78, -119, 2.5),
    stroke("M92 -107h9", "#8a6436", 1.6),
    stroke("M70 -104L76 -124M86 -124L84 -104", saddle, 2),
  );
}

export function kangaroo(x: number, y: number, place: Placement): Drawing {
  const coat = "#b98557";
  return at(
    x,
    y,
    place,
    path("M-16 -26C-40 -22 -64 0 -92 -2C-66 -10 -50 -40 -20 -46Z", "#9d6d42"),
    path("M-30 -22C-34 -56 -8 -74 10 -92L30 -78C34 -56 24 -20 4 -12C-12 -6 -28 -8 -30 -22Z", coat),
    path("M10 -60C20 -66 28 -54 22 -38C16 -24 6 -26 6 -40Z", "#e6c79d"),
    ellipse(15, -42, 9, 10, "#9d6d42", { opacity: 0.45 }),
    circle(17, -52, 6, "#c9976b"),
    path("M12 -55L10 -62L16 -58ZM20 -57L22 -63L23 -56Z", "#c9976b"),
    eye(18, -53, 1.2),
    path(
      "M-26 -22C-22 -44 2 -40 6 -22C6 -10 -2 -8 2 -5L34 -5C36 0 34 0 34 0H-8C-16 -4 -28 -10 -26 -22Z",
      "#a9764a",
    ),
    stroke("M26 -76C36 -70 38 -62 34 -56", "#9d6d42", 6),
    path("M16 -88C14 -104 22 -114 32 -112L48 -102C52 -96 46 -92 40 -92L28 -82Z", coat),
    ellipse(22, -121, 4.6, 13, coat, { rotate: -16 }),
    ellipse(32, -121, 4.6, 13, "#c9976b", { rotate: 8 }),
    eye(34, -105, 2.3),
    circle(48, -98, 2.2, "#3b2a20"),
  );
}

export function crocodile(x: number, y: number, place: Placement): Drawing {
  const green = "#5f7f45";
  return at(
    x,
    y,
    place,
    path(
      "M-110 -6C-80 -34 -40 -34 0 -34C20 -36 34 -40 44 -34L104 -20C112 -16 108 -10 100 -10L50 -6C20 2 -40 4 -110 -6Z",
      green,
    ),
    path("M46 -12L104 -14C108 -8 104 -5 98 -5L48 -3Z", "#7c9a58"),
    repeat(7, (i) => polygon(`${54 + i * 7},-13 ${58 + i * 7},-8 ${61 + i * 7},-13`, "#fdfbf0")),
    repeat(13, (i) =>
      polygon(
        `${-92 + i * 10},${-21 - Math.min(i, 7) * 1.8} ${-86 + i * 10},${-31 - Math.min(i, 7) * 1.7} ${-80 + i * 10},${-22 - Math.min(i, 7) * 1.8}`,
        "#48643a",
      ),
    ),
    circle(46, -36, 6.5, green),
    circle(47, -37, 3.4, "#f4d94f"),
    ellipse(47, -37, 1, 3, "#1c1c1c"),
    ellipse(100, -19, 3, 2, "#3f5733"),
    path("M-40 -8L-52 2H-30L-26 -6ZM26 -8L18 2H40L40 -6Z", "#4f6d3c"),
  );
}

/** Stands on one leg; about 120 high. */
export function flamingo(x: number, y: number, place: Placement): Drawing {
  return at(
    x,
    y,
    place,
    stroke("M0 0V-54M0 -30L14 -34L6 -46", "#e8788c", 3),
    path("M-34 -62C-24 -80 8 -84 20 -68C22 -52 0 -46 -14 -50C-24 -52 -34 -52 -34 -62Z", "#f58ea6"),
    path("M-36 -60C-26 -70 -6 -70 4 -62C-6 -50 -22 -50 -36 -60Z", "#ea6f8c"),
    stroke("M16 -68C34 -76 10 -94 14 -108C16 -118 28 -120 32 -112", "#f58ea6", 7),
    circle(29, -112, 7, "#f58ea6"),
    path("M33 -116C42 -114 44 -104 40 -98C38 -104 34 -106 30 -107Z", "#2d2a2b"),
    eye(30, -114, 1.6),
  );
}
