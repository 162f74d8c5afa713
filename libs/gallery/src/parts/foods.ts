import { pick, repeat, scatter } from "../drawing/scatter.ts";
import {
  at,
  circle,
  clipped,
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

/** Seen from above, with a slice pulled out; radius about 110. */
export function pizza(x: number, y: number, place: Placement): Drawing {
  const topping = (seed: number): Drawing =>
    scatter(seed, 15, { x: -78, y: -78, w: 156, h: 156 }, (px, py, random) => {
      if (Math.hypot(px, py) > 82) return [];
      const kind = random();
      if (kind < 0.5)
        return [
          circle(px, py, 14, "#c23b2a"),
          circle(px - 3, py - 3, 9, "#d4513d"),
          circle(px + 4, py + 2, 1.8, "#8f2418"),
        ];
      if (kind < 0.75) return [circle(px, py, 7, "#2f3138"), circle(px, py, 3, "#f2cf74")];
      return at(
        px,
        py,
        { rotate: random() * 360 },
        path("M0 -13C9 -8 9 6 0 13C-9 6 -9 -8 0 -13Z", "#4c9a4a"),
        stroke("M0 -10V10", "#7cc06e", 1.4),
      );
    });
  const sector = "M0 0L108 -34A114 114 0 1 1 66 -92Z";
  return at(
    x,
    y,
    place,
    clipped(
      path(sector, "#000"),
      circle(0, 0, 112, "#d9a053"),
      circle(0, 0, 97, "#c9412c"),
      circle(0, 0, 93, "#f5d27a"),
      topping(12),
    ),
    repeat(3, (i) =>
      stroke(`M0 0L${Math.cos(1.2 + i * 1.25) * 108} ${Math.sin(1.2 + i * 1.25) * 108}`, "#c98a3c", 2, {
        opacity: 0.6,
      }),
    ),
    at(
      24,
      -20,
      {},
      clipped(
        path("M0 0L108 -34A114 114 0 0 0 66 -92Z", "#000"),
        circle(0, 0, 112, "#d9a053"),
        circle(0, 0, 97, "#f5d27a"),
        circle(62, -46, 14, "#c23b2a"),
        circle(78, -62, 6, "#2f3138"),
        circle(40, -40, 6, "#4c9a4a"),
      ),
    ),
  );
}

/** From the side; about 120 wide and 100 high. */
export function burger(x: number, y: number, place: Placement): Drawing {
  return at(
    x,
    y,
    place,
    path("M-56 -22H56C58 -4 46 0 36 0H-36C-46 0 -58 -4 -56 -22Z", "#d9933f"),
    rect(-60, -38, 120, 18, "#6b3d22", { round: 9 }),
    polygon("-58,-40 58,-40 40,-26 20,-38 -6,-24 -24,-38 -44,-28", "#f7c32f"),
    path("M-62 -42q8 12 16 0t16 0t16 0t16 0t16 0t16 0t16 0t12 0V-48H-62Z", "#6fb04a"),
    rect(-54, -54, 108, 9, "#d8412f", { round: 4 }),
    path("M-58 -52C-58 -96 58 -96 58 -52Z", downward("#eeb463", "#d08a35")),
    scatter(5, 16, { x: -38, y: -80, w: 76, h: 18 }, (sx, sy) =>
      ellipse(sx, sy, 2.8, 1.6, "#fdf0cf", { rotate: 20 }),
    ),
  );
}

export function fries(x: number, y: number, place: Placement): Drawing {
  return at(
    x,
    y,
    place,
    repeat(11, (i) =>
      at(
        -26 + i * 5.2,
        -46,
        { rotate: (i - 5) * 3.2 },
        rect(-3.4, -46 + ((i * 13) % 22), 7, 60, i % 2 ? "#f7c84a" : "#eab234", { round: 1 }),
      ),
    ),
    path("M-34 -56Q0 -34 34 -56L26 0H-26Z", "#d8322b"),
    path("M-34 -56Q0 -34 34 -56L33 -48Q0 -26 -33 -48Z", "#f4f0e6"),
  );
}

export function apple(x: number, y: number, place: Placement, colour = "#d8322b"): Drawing {
  return at(
    x,
    y,
    place,
    path("M0 -36C-14 -46 -34 -38 -34 -16C-34 8 -14 22 0 16C14 22 34 8 34 -16C34 -38 14 -46 0 -36Z", colour),
    ellipse(-16, -18, 6, 12, "#ffffff", { opacity: 0.28, rotate: 16 }),
    stroke("M0 -36C0 -46 4 -50 8 -54", "#6b4226", 3.4),
    path("M6 -46C16 -58 28 -54 30 -50C24 -42 14 -40 6 -46Z", "#5aa446"),
  );
}

export function orange(x: number, y: number, r: number): Drawing {
  return [
    circle(x, y, r, radial("#ffb63d", "#f08a1c")),
    circle(x - r * 0.3, y - r * 0.35, r * 0.22, "#ffffff", { opacity: 0.35 }),
    path(`M${x} ${y - r}q8 -10 18 -5q-6 10 -18 5Z`, "#4b9b4a"),
  ];
}

export function banana(x: number, y: number, place: Placement): Drawing {
  return at(
    x,
    y,
    place,
    path("M-52 -18C-40 22 20 30 54 -12L60 -8C36 46 -44 44 -60 -14Z", "#f8d64a"),
    path("M-52 -18C-40 22 20 30 54 -12C28 18 -30 18 -52 -18Z", "#fbe786"),
    rect(-61, -25, 9, 10, "#7a5a2a", { round: 3 }),
  );
}

export function grapes(x: number, y: number, place: Placement, colour = "#6a3f8f"): Drawing {
  return at(
    x,
    y,
    place,
    stroke("M0 -34V-48", "#6b4226", 4),
    repeat(5, (row) =>
      repeat(5 - row, (i) => [
        circle((i - (4 - row) / 2) * 15, -26 + row * 13, 9, colour),
        circle((i - (4 - row) / 2) * 15 - 3, -29 + row * 13, 2.4, "#ffffff", { opacity: 0.45 }),
      ]),
    ),
    path("M2 -44C14 -60 32 -52 34 -44C26 -36 10 -36 2 -44Z", "#5aa446"),
  );
}

export function watermelonSlice(x: number, y: number, place: Placement): Drawing {
  return at(
    x,
    y,
    place,
    path("M-100 -40A100 100 0 0 0 100 -40Z", "#3d8b3f"),
    path("M-92 -40A92 92 0 0 0 92 -40Z", "#e9f3cf"),
    path("M-84 -40A84 84 0 0 0 84 -40Z", downward("#f4535c", "#e2364a")),
    repeat(9, (i) => {
      const a = 0.3 + (i / 8) * 2.54;
      const r = i % 2 ? 40 : 62;
      return ellipse(Math.cos(a) * r, -38 + Math.sin(a) * r, 2.8, 5, "#2a1b18", {
        rotate: (a * 180) / Math.PI - 90,
      });
    }),
  );
}

export function sundaeCone(x: number, y: number, place: Placement, scoops: readonly string[]): Drawing {
  return at(
    x,
    y,
    place,
    polygon("-28,-92 28,-92 0,0", "#e2a757"),
    stroke("M-20 -84L8 -26M-6 -90L16 -52M20 -84L-8 -26M6 -90L-16 -52", "#b97f33", 2.2),
    scoops.map((colour, i) => [
      circle(0, -106 - i * 36, 31 - i * 3, colour),
      ellipse(-10, -118 - i * 36, 8, 5, "#ffffff", { opacity: 0.4 }),
      path(`M${-30 + i * 3} ${-98 - i * 36}q7 12 15 2t15 2t15 0t${15 - i * 4} -4`, colour),
    ]),
  );
}

/** Seen from above. */
export function doughnut(x: number, y: number, r: number, icing: string, seed: number): Drawing {
  return [
    ellipse(x + 3, y + 7, r, r * 0.98, "#10202c", { opacity: 0.2 }),
    circle(x, y, r, "#d79a54"),
    path(wavyCircle(x, y, r * 0.9, 11, r * 0.045), icing),
    scatter(seed, 34, { x: x - r * 0.8, y: y - r * 0.8, w: r * 1.6, h: r * 1.6 }, (sx, sy, random) => {
      const d = Math.hypot(sx - x, sy - y);
      if (d > r * 0.76 || d < r * 0.42) return [];
      return rect(
        sx - 4,
        sy - 1.5,
        8,
        3,
        pick(["#ffffff", "#f7d154", "#4bb3e0", "#7bd06a", "#f0677f"], random),
        { round: 1.5, rotate: random() * 180 },
      );
    }),
    circle(x, y, r * 0.34, "#b87a38"),
    circle(x, y, r * 0.28, "#8a6a5a"),
  ];
}

export function wavyCircle(x: number, y: number, r: number, waves: number, swing: number): string {
  const points = Array.from({ length: 90 }, (_, i) => {
    const a = (i / 90) * Math.PI * 2;
    const rr = r + Math.sin(a * waves) * swing;
    return `${(x + Math.cos(a) * rr).toFixed(1)} ${(y + Math.sin(a) * rr).toFixed(1)}`;
  });
  return `M${points.join("L")}Z`;
}

export function friedEgg(x: number, y: number, s = 1): Drawing {
  return [
    path(wavyCircle(x, y, 44 * s, 5, 5 * s), "#fffdf6"),
    circle(x + 4 * s, y - 2 * s, 19 * s, radial("#ffcf3f", "#f5a61f")),
    ellipse(x - 2 * s, y - 9 * s, 6 * s, 4 * s, "#ffffff", { opacity: 0.55 }),
  ];
}

export function bread(x: number, y: number, place: Placement): Drawing {
  return at(
    x,
    y,
    place,
    path("M-96 0C-112 -40 -70 -62 0 -62C70 -62 112 -40 96 0Z", downward("#d99a4b", "#a9682a")),
    repeat(4, (i) => path(`M${-62 + i * 36} -52q16 14 22 38q-14 -4 -26 -30Z`, "#f3d49a")),
    ellipse(0, 1, 96, 4, "#6b4226", { opacity: 0.3 }),
  );
}

export function cheese(x: number, y: number, place: Placement): Drawing {
  return at(
    x,
    y,
    place,
    polygon("-60,-30 60,-58 60,0 -60,0", "#f6c443"),
    polygon("-60,-30 60,-58 40,-68 -30,-46", "#fbdc7c"),
    circle(-20, -14, 8, "#dba22a"),
    circle(24, -30, 10, "#dba22a"),
    circle(40, -8, 6, "#dba22a"),
    circle(4, -34, 4, "#dba22a"),
  );
}

export function croissant(x: number, y: number, place: Placement): Drawing {
  return at(
    x,
    y,
    place,
    path(
      "M-74 10C-84 -8 -60 -40 -22 -48C10 -54 50 -46 72 -12C80 0 74 16 66 14C56 4 48 -2 34 -2C10 -6 -22 -6 -40 4C-52 12 -66 20 -74 10Z",
      "#d98f3c",
    ),
    stroke(
      "M-52 -24C-42 -14 -38 -6 -42 4M-26 -44C-14 -26 -12 -14 -14 -4M6 -48C14 -30 14 -14 12 -4M36 -40C40 -24 38 -10 34 -2",
      "#a9642a",
      4,
    ),
    stroke("M-44 -30C-20 -42 20 -44 44 -32", "#f2bf73", 5, { opacity: 0.7 }),
  );
}

export function sushi(x: number, y: number, kind: "salmon" | "tuna" | "egg" | "maki"): Drawing {
  if (kind === "maki") {
    return [
      ellipse(x + 2, y + 6, 25, 23, "#000", { opacity: 0.25 }),
      circle(x, y, 24, "#1f3a30"),
      circle(x, y, 20, "#fbfaf5"),
      circle(x - 4, y - 2, 6, "#f28a5c"),
      circle(x + 5, y + 3, 5, "#8fc866"),
    ];
  }
  const top = { salmon: "#f58a5f", tuna: "#c93a45", egg: "#f6cf52" }[kind];
  return [
    ellipse(x + 2, y + 7, 36, 20, "#000", { opacity: 0.25 }),
    rect(x - 34, y - 10, 68, 28, "#fbfaf5", { round: 13 }),
    path(
      `M${x - 38} ${y + 4}C${x - 40} ${y - 22} ${x + 40} ${y - 22} ${x + 38} ${y + 4}C${x + 20} ${y - 4} ${x - 20} ${y - 4} ${x - 38} ${y + 4}Z`,
      top,
    ),
    kind === "egg"
      ? rect(x - 6, y - 17, 12, 34, "#1f3a30")
      : stroke(
          `M${x - 20} ${y - 14}l-6 12M${x - 2} ${y - 16}l-6 12M${x + 16} ${y - 15}l-6 12`,
          "#ffffff",
          2.4,
          { opacity: 0.6 },
        ),
  ];
}
