import { pick, repeat, scatter } from "../drawing/scatter.ts";
import { HEIGHT, WIDTH } from "../drawing/scene.ts";
import {
  circle,
  downward,
  ellipse,
  path,
  polygon,
  rect,
  stroke,
  type Drawing,
  type Paint,
} from "../drawing/svg.ts";

/** Flat ground from y to the bottom. */
export function ground(y: number, ...colours: readonly string[]): Drawing {
  return rect(0, y, WIDTH, HEIGHT - y, downward(...colours));
}

/** A soft shadow under something that stands at (x, y). */
export function shadow(x: number, y: number, rx: number, ry = rx * 0.16, opacity = 0.22): Drawing {
  return ellipse(x, y, rx, ry, "#10202c", { opacity });
}

/** One wavy ridge from side to side; `height` is the swing of its hills about y. */
export function hills(y: number, height: number, paint: Paint, phase = 0): Drawing {
  const crest = (x: number) =>
    y - height * (0.6 * Math.sin(x / 78 + phase) + 0.4 * Math.sin(x / 37 + phase * 2.3));
  const points = Array.from({ length: 33 }, (_, i) => `${i * 15},${crest(i * 15).toFixed(1)}`);
  return path(`M0 ${HEIGHT}L${points.join("L")}L${WIDTH} ${HEIGHT}Z`, paint);
}

export function meadow(
  y: number,
  seed = 1,
  colours: readonly [string, string] = ["#8cc863", "#4f9a45"],
): Drawing {
  return [
    ground(y, ...colours),
    scatter(seed, 46, { x: 0, y: y + 8, w: WIDTH, h: HEIGHT - y }, (x, gy, random) => {
      const s = 0.5 + ((gy - y) / (HEIGHT - y)) * 0.9;
      const d = `M${x} ${gy}q${-3 * s} ${-4 * s} ${-4 * s} ${-9 * s}M${x} ${gy}q0 ${-6 * s} ${1 * s} ${-11 * s}M${x} ${gy}q${3 * s} ${-4 * s} ${5 * s} ${-8 * s}`;
      return stroke(d, pick(["#3f8a3b", "#63ad4c", "#a5d876"], random), 1.3 * s, { opacity: 0.7 });
    }),
  ];
}

/** Meadow flowers in the given colours. */
export function flowers(seed: number, count: number, y: number, colours: readonly string[]): Drawing {
  return scatter(seed, count, { x: 0, y, w: WIDTH, h: HEIGHT - y }, (x, fy, random) => {
    const s = 0.6 + ((fy - y) / (HEIGHT - y)) * 1.1;
    const colour = pick(colours, random);
    return [
      stroke(`M${x} ${fy}v${-9 * s}`, "#3c7c36", 1.2 * s),
      repeat(5, (i) => {
        const a = (i / 5) * Math.PI * 2;
        return circle(x + Math.cos(a) * 2.5 * s, fy - 10 * s + Math.sin(a) * 2.5 * s, 2.1 * s, colour);
      }),
      circle(x, fy - 10 * s, 1.7 * s, "#ffdf5e"),
    ];
  });
}

/** A mountain with a snow cap; (x, y) is the middle of its foot. */
export function mountain(
  x: number,
  y: number,
  w: number,
  h: number,
  colours: { rock: Paint; shade: string; snow?: string },
): Drawing {
  const snow = colours.snow ?? "#f7fbff";
  const px = (t: number) => x + (w / 2) * t;
  const py = (t: number) => y - h * t;
  return [
    polygon(`${px(-1)},${y} ${x},${py(1)} ${px(1)},${y}`, colours.rock),
    polygon(
      `${x},${py(1)} ${px(1)},${y} ${px(0.12)},${y} ${px(-0.08)},${py(0.45)} ${px(0.1)},${py(0.62)}`,
      colours.shade,
      {
        opacity: 0.45,
      },
    ),
    polygon(
      `${x},${py(1)} ${px(-0.33)},${py(0.67)} ${px(-0.18)},${py(0.72)} ${px(-0.06)},${py(0.61)} ${px(0.07)},${py(0.71)} ${px(0.2)},${py(0.63)} ${px(0.33)},${py(0.67)}`,
      snow,
    ),
  ];
}

export function sea(y: number, seed = 1, colours: readonly string[] = ["#3f9fd0", "#1d6a9f"]): Drawing {
  return [
    ground(y, ...colours),
    scatter(seed, 40, { x: -10, y: y + 6, w: WIDTH, h: HEIGHT - y }, (x, wy, random) => {
      const s = 0.5 + ((wy - y) / (HEIGHT - y)) * 1.2;
      const w = (8 + random() * 14) * s;
      return stroke(
        `M${x} ${wy}q${w / 4} ${-3 * s} ${w / 2} 0q${w / 4} ${3 * s} ${w / 2} 0`,
        "#ffffff",
        1.2 * s,
        {
          opacity: 0.2 + random() * 0.3,
        },
      );
    }),
  ];
}

/** The light of a low sun or moon on water, below (x, y). */
export function glitter(x: number, y: number, seed: number, colour = "#fff0c0"): Drawing {
  return scatter(seed, 34, { x: -1, y: 4, w: 2, h: HEIGHT - y - 8 }, (t, dy, random) => {
    const spread = 12 + dy * 0.28;
    const w = 6 + random() * 16 + dy * 0.06;
    return ellipse(x + t * spread, y + dy, w / 2, 1.1 + dy * 0.008, colour, {
      opacity: 0.35 + random() * 0.4,
    });
  });
}

export function waves(y: number, colour: string, foam = "#ffffff", phase = 0): Drawing {
  const step = 40;
  const start = -step - phase;
  let d = `M${start} ${y}`;
  for (let x = start; x < WIDTH + step; x += step)
    d += `q${step / 4} -9 ${step / 2} 0q${step / 4} 9 ${step / 2} 0`;
  return [path(`${d}V${HEIGHT}H${start}Z`, colour), stroke(d, foam, 1.6, { opacity: 0.55 })];
}

/** Sand with specks and the odd pebble. */
export function sand(y: number, seed = 1, colours: readonly string[] = ["#f1d9a2", "#dcb877"]): Drawing {
  return [
    ground(y, ...colours),
    scatter(seed, 60, { x: 0, y: y + 5, w: WIDTH, h: HEIGHT - y }, (x, sy, random) =>
      circle(x, sy, 0.7 + random() * 1.1, pick(["#c39d5d", "#fbeecb", "#b58c50"], random), { opacity: 0.6 }),
    ),
  ];
}

/** Beach from the sea's edge down: foam, wet sand, sand. */
export function beach(y: number, seed = 1): Drawing {
  const edge = (dy: number) => `M0 ${y + dy}q60 -10 120 0t120 2t120 -3t130 1V${HEIGHT}H0Z`;
  return [
    path(edge(-3), "#ffffff", { opacity: 0.85 }),
    path(edge(4), "#cfae74"),
    path(edge(15), downward("#f3dba6", "#e1bf81")),
    scatter(seed, 36, { x: 0, y: y + 22, w: WIDTH, h: HEIGHT - y }, (x, sy, random) =>
      circle(x, sy, 0.8 + random(), "#bd9757", { opacity: 0.5 }),
    ),
  ];
}

/** A straight road seen from the side, with a dashed middle line. */
export function road(y: number, h = 70, colours: { tar?: string; line?: string } = {}): Drawing {
  const { tar = "#4a4f57", line = "#f3e9c4" } = colours;
  return [
    rect(0, y, WIDTH, h, tar),
    rect(0, y, WIDTH, 4, "#767c85"),
    rect(0, y + h - 4, WIDTH, 4, "#393d44"),
    repeat(8, (i) => rect(i * 66 + 8, y + h / 2 - 2, 36, 4, line)),
  ];
}

/** A road that runs away from the viewer to the vanishing point (x, y). */
export function roadAway(x: number, y: number, spread = 150, tar = "#50555d"): Drawing {
  return [
    polygon(`${x - 4},${y} ${x + 4},${y} ${x + spread},${HEIGHT} ${x - spread},${HEIGHT}`, tar),
    repeat(6, (i) => {
      const near = (t: number) => y + (HEIGHT - y) * t ** 1.8;
      const [a, b] = [near((i + 0.25) / 6), near((i + 0.7) / 6)];
      const w = (yy: number) => ((yy - y) / (HEIGHT - y)) * 5 + 0.4;
      return polygon(`${x - w(a)},${a} ${x + w(a)},${a} ${x + w(b)},${b} ${x - w(b)},${b}`, "#f6eecf");
    }),
  ];
}

/** Snow on the ground, with blue hollows. */
export function snowfield(y: number): Drawing {
  return [
    hills(y, 9, downward("#ffffff", "#d7e5f1"), 0.7),
    hills(y + 48, 8, downward("#f5f9fd", "#c9dbea"), 2.4),
  ];
}
