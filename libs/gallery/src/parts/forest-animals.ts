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

/** About 150 wide and 95 high; brown bears and, in white, polar bears. */
export function bear(
  x: number,
  y: number,
  place: Placement,
  coat = "#75502f",
  dark = "#573a21",
  muzzle = "#b28a5e",
): Drawing {
  const body = quadruped({
    coat,
    shade: dark,
    length: 112,
    depth: 54,
    legs: 32,
    legWidth: 20,
    stride: [10, -8, 10, -8],
  });
  return at(
    x,
    y,
    place,
    circle(-56, -66, 7, dark),
    body.drawing,
    ellipse(28, -76, 30, 20, coat),
    circle(48, -102, 8, coat),
    circle(66, -104, 8, coat),
    circle(49, -101, 4, dark),
    circle(66, -103, 4, dark),
    path(
      "M36 -76C34 -100 50 -108 64 -102C76 -98 80 -88 92 -82C98 -78 96 -68 86 -66C66 -60 44 -58 36 -76Z",
      coat,
    ),
    path("M72 -88C80 -86 86 -84 92 -82C98 -78 96 -68 86 -66C76 -64 68 -68 70 -78Z", muzzle),
    ellipse(93, -79, 5, 4, "#1d1a1a"),
    eye(68, -90, 2.8),
  );
}

export function fox(x: number, y: number, place: Placement): Drawing {
  const coat = "#e0702c";
  const body = quadruped({
    coat,
    shade: "#b4521b",
    length: 74,
    depth: 25,
    legs: 28,
    legWidth: 8,
    stride: [8, -8, 8, -6],
    hoof: "#33241d",
  });
  return at(
    x,
    y,
    place,
    path("M-32 -46C-56 -52 -84 -34 -90 -8C-70 -10 -50 -18 -36 -34Z", coat),
    path("M-90 -8C-88 -18 -82 -26 -76 -30C-74 -22 -70 -18 -64 -14C-74 -10 -82 -8 -90 -8Z", "#fff7ec"),
    body.drawing,
    path("M24 -40C30 -26 42 -30 46 -44Z", "#fff7ec"),
    path("M22 -50L40 -66L54 -54L40 -38Z", coat),
    path("M36 -70L38 -92L52 -78ZM58 -76L68 -90L70 -70Z", coat),
    path("M40 -76L41 -86L48 -78Z", "#3a241a"),
    path("M34 -64C36 -80 60 -84 70 -72L90 -56C90 -50 82 -50 76 -51C60 -42 40 -46 34 -64Z", coat),
    path("M90 -56C90 -50 82 -50 76 -51C66 -45 56 -44 48 -48C60 -50 70 -60 78 -62Z", "#fff7ec"),
    circle(89, -55, 3.2, "#1d1a1a"),
    eye(64, -67, 2.5),
  );
}

/** About 110 wide and 150 high, with antlers. */
export function deer(x: number, y: number, place: Placement): Drawing {
  const coat = "#a9703f";
  const body = quadruped({
    coat,
    shade: "#825329",
    length: 82,
    depth: 32,
    legs: 52,
    legWidth: 8,
    stride: [6, -6, 6, -5],
    hoof: "#2b211c",
  });
  return at(
    x,
    y,
    place,
    ellipse(-42, -76, 6, 9, "#f5ead8", { rotate: 20 }),
    body.drawing,
    path("M18 -78C26 -96 34 -108 44 -118L60 -108C54 -92 50 -72 40 -54Z", coat),
    path("M32 -72C40 -70 46 -74 48 -84L44 -60Z", "#e9d5b5"),
    stroke(
      "M46 -122C36 -136 34 -150 42 -162M40 -140L28 -148M38 -150L30 -160M56 -122C66 -134 72 -146 68 -160M64 -136L76 -144M70 -148L80 -156",
      "#6b4a2b",
      4,
    ),
    path("M44 -116C34 -122 30 -116 30 -112C36 -108 42 -108 46 -110Z", "#825329"),
    path("M42 -114C44 -126 58 -128 64 -120L80 -104C84 -96 76 -92 70 -95L52 -100Z", coat),
    ellipse(78, -100, 4.5, 4, "#2b211c"),
    eye(60, -115, 2.6),
  );
}

export function squirrel(x: number, y: number, place: Placement): Drawing {
  const coat = "#b5652f";
  return at(
    x,
    y,
    place,
    path(
      "M-14 -4C-52 -8 -56 -50 -36 -72C-22 -84 -6 -74 -12 -62C-18 -68 -28 -60 -26 -46C-24 -34 -16 -24 -6 -20Z",
      "#9a5122",
    ),
    path("M-18 0C-26 -28 -8 -48 10 -48C26 -46 26 -14 18 0Z", coat),
    ellipse(10, -22, 8, 15, "#f5e3c9"),
    path("M6 -68L8 -82L16 -70Z", coat),
    circle(16, -58, 14, coat),
    ellipse(24, -53, 7, 6, "#f5e3c9"),
    circle(30, -55, 2.2, "#2b1c14"),
    eye(19, -61, 2.8),
    stroke("M4 -36C12 -28 20 -30 26 -34", "#9a5122", 6),
    ellipse(31, -36, 6, 7, "#8a5a2b"),
    path("M24 -40C26 -46 36 -46 38 -40Z", "#5e3b1a"),
    ellipse(6, -3, 18, 5, "#9a5122"),
  );
}

export function owl(x: number, y: number, place: Placement): Drawing {
  return at(
    x,
    y,
    place,
    path(
      "M-30 -10C-38 -50 -30 -78 -24 -92L-10 -82H10L24 -92C30 -78 38 -50 30 -10C20 4 -20 4 -30 -10Z",
      "#8a6a4a",
    ),
    path(
      "M-31 -20C-42 -44 -36 -64 -30 -70C-22 -50 -20 -24 -26 -4ZM31 -20C42 -44 36 -64 30 -70C22 -50 20 -24 26 -4Z",
      "#6c4f35",
    ),
    ellipse(0, -26, 20, 24, "#d9c19b"),
    repeat(3, (r) =>
      repeat(4 - (r % 2), (i) =>
        stroke(`M${-14 + (r % 2) * 4 + i * 9} ${-38 + r * 11}q3 5 6 0`, "#8a6a4a", 2),
      ),
    ),
    circle(-12, -68, 14, "#f1e4cb"),
    circle(12, -68, 14, "#f1e4cb"),
    circle(-11, -68, 9, "#f5b52e"),
    circle(11, -68, 9, "#f5b52e"),
    circle(-11, -68, 4.8, "#1a1512"),
    circle(11, -68, 4.8, "#1a1512"),
    circle(-9, -70, 1.6, "#fff"),
    circle(13, -70, 1.6, "#fff"),
    polygon("-4,-60 4,-60 0,-49", "#4f3b28"),
    stroke("M-14 -2v6M-8 -2v7M8 -2v7M14 -2v6", "#e2a53b", 3.4),
  );
}

export function hedgehog(x: number, y: number, place: Placement): Drawing {
  return at(
    x,
    y,
    place,
    path("M-40 0C-46 -30 -20 -48 6 -42C26 -38 34 -20 30 0Z", "#5b4636"),
    repeat(24, (i) => {
      const a = Math.PI + (i / 23) * Math.PI * 0.92;
      const [cx, cy] = [Math.cos(a) * 36 - 5, -4 + Math.sin(a) * 38];
      return stroke(
        `M${cx * 0.72} ${cy * 0.72}L${cx * 1.14 - 2} ${cy * 1.12}`,
        i % 2 ? "#7c634d" : "#463527",
        4,
      );
    }),
    repeat(8, (i) => stroke(`M${-26 + i * 7} ${-16 - (i % 2) * 8}l-5 -8`, "#8d735a", 2.4)),
    path("M20 -28C36 -28 44 -14 58 -9C60 -4 52 0 44 0H16C14 -10 14 -22 20 -28Z", "#dcb98e"),
    circle(58, -9, 4, "#221a16"),
    circle(22, -24, 5, "#b58c62"),
    eye(36, -16, 2.5),
    ellipse(20, -1, 7, 3, "#b58c62"),
    ellipse(-20, -1, 7, 3, "#b58c62"),
  );
}

export function frog(x: number, y: number, place: Placement): Drawing {
  const green = "#5cae4a";
  return at(
    x,
    y,
    place,
    path("M-34 -4C-46 -20 -32 -32 -22 -24L-14 -2ZM34 -4C46 -20 32 -32 22 -24L14 -2Z", "#478f3b"),
    ellipse(0, -20, 28, 20, green),
    ellipse(0, -13, 18, 12, "#cbe6a4"),
    circle(-14, -38, 9, green),
    circle(14, -38, 9, green),
    circle(-14, -39, 5.5, "#f6e98a"),
    circle(14, -39, 5.5, "#f6e98a"),
    ellipse(-14, -39, 2, 3.6, "#16210f"),
    ellipse(14, -39, 2, 3.6, "#16210f"),
    stroke("M-15 -24Q0 -14 15 -24", "#2d6226", 2),
    path("M-24 0C-22 -8 -12 -10 -8 0ZM24 0C22 -8 12 -10 8 0Z", "#478f3b"),
  );
}

export function butterfly(
  x: number,
  y: number,
  place: Placement,
  wing = "#f08a2c",
  edge = "#3a2417",
): Drawing {
  const side = (s: number): Drawing => [
    path(`M0 -4C${s * 12} -40 ${s * 52} -46 ${s * 54} -22C${s * 54} -6 ${s * 22} 4 0 2Z`, wing, {
      stroke: edge,
      width: 4,
    }),
    path(`M0 2C${s * 20} 2 ${s * 42} 12 ${s * 34} 28C${s * 26} 40 ${s * 4} 24 0 8Z`, wing, {
      stroke: edge,
      width: 4,
    }),
    stroke(`M0 -2L${s * 40} -32M0 0L${s * 48} -14M${s * 2} 6L${s * 28} 24`, edge, 1.6),
    circle(s * 46, -28, 2, "#fff4dc"),
    circle(s * 48, -16, 1.8, "#fff4dc"),
  ];
  return at(
    x,
    y,
    place,
    side(-1),
    side(1),
    ellipse(0, 2, 4, 19, edge),
    stroke("M-1 -16C-4 -26 -10 -30 -14 -32M1 -16C4 -26 10 -30 14 -32", edge, 1.6),
  );
}

export function bee(x: number, y: number, place: Placement): Drawing {
  const body = ellipse(0, 0, 20, 13, "#f6bf2c");
  return at(
    x,
    y,
    place,
    ellipse(-6, -17, 8, 14, "#e8f3fb", { rotate: -24, opacity: 0.85 }),
    ellipse(6, -17, 8, 14, "#f6fbff", { rotate: 16, opacity: 0.9 }),
    body,
    clipped(
      body,
      rect(-12, -14, 6, 28, "#2a211a"),
      rect(0, -14, 6, 28, "#2a211a"),
      rect(12, -14, 10, 28, "#2a211a"),
    ),
    circle(20, -1, 8, "#2a211a"),
    eye(22, -3, 2, "#fdf3cf"),
    stroke("M24 -8q4 -8 9 -8M21 -9q1 -9 5 -11", "#2a211a", 1.5),
  );
}

/** Upright on ice or snow; about 80 high. */
export function penguin(x: number, y: number, place: Placement, chick = false): Drawing {
  const back = chick ? "#8d949d" : "#262a34";
  return at(
    x,
    y,
    place,
    path("M-20 0C-30 -30 -24 -66 0 -78C24 -66 30 -30 20 0Z", back),
    path(
      "M-24 -50C-36 -36 -36 -20 -30 -14C-26 -24 -22 -34 -20 -44ZM24 -50C36 -36 36 -20 30 -14C26 -24 22 -34 20 -44Z",
      back,
    ),
    path("M-14 -2C-22 -28 -16 -50 0 -54C16 -50 22 -28 14 -2Z", "#fdfdfb"),
    chick ? ellipse(0, -64, 14, 11, "#f3f4f2") : ellipse(0, -52, 10, 6, "#f7c652"),
    eye(-6, -66, 2.2, chick ? "#111" : "#0c0d10"),
    eye(6, -66, 2.2, chick ? "#111" : "#0c0d10"),
    chick
      ? []
      : [
          circle(-6, -66, 3.4, "none", { stroke: "#f5f5f0", width: 1 }),
          circle(6, -66, 3.4, "none", { stroke: "#f5f5f0", width: 1 }),
        ],
    polygon("-5,-61 5,-61 0,-53", "#ef9a34"),
    ellipse(-9, -1, 9, 4, "#ef9a34"),
    ellipse(9, -1, 9, 4, "#ef9a34"),
  );
}

/** A small songbird on a twig. */
export function songbird(
  x: number,
  y: number,
  place: Placement,
  back = "#4a86c5",
  breast = "#ef8a4a",
): Drawing {
  return at(
    x,
    y,
    place,
    path("M-22 -18L-52 -8L-46 -18L-22 -28Z", back),
    path("M-26 -22C-22 -44 6 -48 18 -36C26 -26 18 -4 0 -2C-16 -2 -26 -8 -26 -22Z", back),
    path("M20 -32C26 -20 16 -4 0 -2C-8 -2 -10 -8 -4 -12C6 -18 10 -28 20 -32Z", breast),
    circle(13, -38, 12.5, back),
    path("M12 -32C16 -26 24 -28 25 -36Z", breast),
    polygon("24,-41 34,-37 24,-34", "#3b342d"),
    path("M-20 -22C-12 -32 4 -28 6 -18C-2 -10 -14 -12 -20 -22Z", "#2c5f98", { opacity: 0.8 }),
    eye(16, -41, 2.3),
    stroke("M-3 -2v6M4 -2v6", "#6b5a48", 2),
  );
}
