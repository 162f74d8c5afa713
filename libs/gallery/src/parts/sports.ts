import { repeat } from "../drawing/scatter.ts";
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

export function football(x: number, y: number, r: number): Drawing {
  return [
    circle(x, y, r, "#fbfbf8"),
    polygon(pentagon(x, y, r * 0.36, -90), "#26282d"),
    repeat(5, (i) => {
      const a = ((-90 + i * 72) * Math.PI) / 180;
      return [
        stroke(
          `M${x + Math.cos(a) * r * 0.36} ${y + Math.sin(a) * r * 0.36}L${x + Math.cos(a) * r * 0.72} ${y + Math.sin(a) * r * 0.72}`,
          "#26282d",
          r * 0.07,
        ),
        circle(x + Math.cos(a) * r * 0.86, y + Math.sin(a) * r * 0.86, r * 0.17, "#26282d"),
      ];
    }),
    circle(x, y, r, "none", { stroke: "#c3c7cc", width: 1 }),
  ];
}

function pentagon(x: number, y: number, r: number, turn: number): string {
  return Array.from({ length: 5 }, (_, i) => {
    const a = ((turn + i * 72) * Math.PI) / 180;
    return `${(x + Math.cos(a) * r).toFixed(1)},${(y + Math.sin(a) * r).toFixed(1)}`;
  }).join(" ");
}

export function basketball(x: number, y: number, r: number): Drawing {
  return [
    circle(x, y, r, "#e5793d"),
    stroke(
      `M${x - r} ${y}H${x + r}M${x} ${y - r}V${y + r}M${x - r * 0.7} ${y - r * 0.7}Q${x - r * 0.1} ${y} ${x - r * 0.7} ${y + r * 0.7}M${x + r * 0.7} ${y - r * 0.7}Q${x + r * 0.1} ${y} ${x + r * 0.7} ${y + r * 0.7}`,
      "#4a2413",
      r * 0.09,
    ),
  ];
}

export function tennisBall(x: number, y: number, r: number): Drawing {
  return [
    circle(x, y, r, "#d7ea3f"),
    stroke(
      `M${x - r * 0.8} ${y - r * 0.6}Q${x} ${y} ${x - r * 0.8} ${y + r * 0.6}M${x + r * 0.8} ${y - r * 0.6}Q${x} ${y} ${x + r * 0.8} ${y + r * 0.6}`,
      "#ffffff",
      r * 0.16,
    ),
  ];
}

export function goal(x: number, y: number, place: Placement): Drawing {
  return at(
    x,
    y,
    place,
    repeat(13, (i) => stroke(`M${-84 + i * 14} -86V0`, "#ffffff", 0.8, { opacity: 0.6 })),
    repeat(7, (i) => stroke(`M-84 ${-84 + i * 13}H84`, "#ffffff", 0.8, { opacity: 0.6 })),
    stroke("M-84 0V-88H84V0", "#ffffff", 6),
  );
}

export function hoop(x: number, y: number, place: Placement): Drawing {
  return at(
    x,
    y,
    place,
    stroke("M60 160V-40", "#4b5058", 9),
    rect(-46, -72, 112, 74, "#fbfbf8", { stroke: "#33373d", width: 4, round: 3 }),
    rect(-16, -40, 44, 32, "none", { stroke: "#d5352f", width: 4 }),
    repeat(6, (i) => stroke(`M${-22 + i * 11} 6L${-14 + i * 8} 42L${-22 + (i + 1) * 11} 6`, "#ffffff", 1.6)),
    ellipse(6, 6, 30, 7, "none", { stroke: "#e2542f", width: 5 }),
  );
}

export function racket(x: number, y: number, place: Placement, colour = "#3f6fd0"): Drawing {
  return at(
    x,
    y,
    place,
    repeat(7, (i) => stroke(`M${-12 + i * 4} -62V-30M-14 ${-60 + i * 5}H14`, "#f4f4ee", 0.7)),
    ellipse(0, -46, 15, 19, "none", { stroke: colour, width: 3.6 }),
    stroke("M0 -26V-20", colour, 5),
    stroke("M0 -18V0", "#33261c", 5),
  );
}

export function surfboard(x: number, y: number, place: Placement, colour = "#f2c230"): Drawing {
  return at(
    x,
    y,
    place,
    path("M-58 0C-40 -10 40 -10 62 -3C44 8 -40 9 -58 0Z", colour),
    stroke("M-50 0H54", "#e5484d", 3),
  );
}

export function skis(x: number, y: number, place: Placement, colour = "#d5352f"): Drawing {
  return at(
    x,
    y,
    place,
    stroke("M-44 0H40C48 0 52 -4 54 -9", colour, 4.4),
    stroke("M-38 6H46C54 6 58 2 60 -3", colour, 4.4),
  );
}

export function skateboard(x: number, y: number, place: Placement): Drawing {
  return at(
    x,
    y,
    place,
    stroke("M-34 -14C-28 -10 28 -10 34 -14", "#e2542f", 5),
    circle(-20, -4, 4.6, "#f7f4ec"),
    circle(20, -4, 4.6, "#f7f4ec"),
  );
}

export function flag(x: number, y: number, h: number, colour: string): Drawing {
  return [
    stroke(`M${x} ${y}V${y - h}`, "#f4f4ee", 3),
    path(`M${x} ${y - h}q14 -6 26 0t24 0v22q-12 6 -24 0t-26 0Z`, colour),
  ];
}

/** A crowd in the stands between y and y + h. */
export function crowd(y: number, h: number): Drawing {
  const colours = ["#d9534f", "#e9c46a", "#4f86a8", "#8a6bb0", "#e8efe9", "#5fa46a", "#df8a4a"];
  return [
    rect(0, y, 480, h, "#454d5a"),
    repeat(Math.floor(h / 15), (r) =>
      repeat(36, (i) => {
        const k = (i * 7 + r * 11) % 7;
        const [px, py] = [i * 14 + (r % 2) * 7, y + 10 + r * 15];
        return [
          circle(px, py - 4, 3.4, ["#f3c9a5", "#a86c44", "#d99f72"][(i + r) % 3] as string),
          path(
            `M${px - 5} ${py + 7}V${py + 2}Q${px} ${py - 3} ${px + 5} ${py + 2}V${py + 7}Z`,
            colours[k] as string,
          ),
        ];
      }),
    ),
  ];
}

export function hurdle(x: number, y: number, place: Placement): Drawing {
  return at(
    x,
    y,
    place,
    stroke("M-22 0V-44M22 0V-44", "#d7dbe0", 4),
    rect(-26, -50, 52, 11, "#ffffff"),
    rect(-26, -50, 17, 11, "#d5352f"),
    rect(9, -50, 17, 11, "#d5352f"),
  );
}
