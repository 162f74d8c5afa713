import { circle, ellipse, path, stroke, type Drawing, type Paint } from "../drawing/svg.ts";

/** A four-legged animal from the side, facing right, without head and tail; its feet stand on y = 0. */
export interface Quadruped {
  coat: Paint;
  /** The legs on the far side. */
  shade: string;
  /** Rump to chest. */
  length: number;
  /** Back to belly. */
  depth: number;
  /** Belly to ground. */
  legs: number;
  legWidth: number;
  /** How far each foot stands ahead of its hip: hind far, hind near, fore far, fore near. */
  stride?: readonly [number, number, number, number];
  hoof?: string;
}

export interface QuadrupedDrawing {
  /** What lies behind the head: far legs, body, near legs. */
  drawing: Drawing;
  /** The body's outline, to clip patterns of the coat to. */
  outline: string;
}

export function quadruped(q: Quadruped): QuadrupedDrawing {
  const { length, depth, legs } = q;
  const [hindFar, hindNear, foreFar, foreNear] = q.stride ?? [4, -4, 4, -2];
  const left = -length / 2;
  const right = length / 2;
  const back = -(legs + depth);
  const belly = -legs;
  const outline =
    `M${left} ${back + depth * 0.45}` +
    `C${left} ${back - depth * 0.02} ${left + length * 0.22} ${back - depth * 0.04} ${left + length * 0.42} ${back + depth * 0.05}` +
    `S${right - length * 0.16} ${back - depth * 0.06} ${right - length * 0.03} ${back + depth * 0.14}` +
    `C${right + length * 0.05} ${back + depth * 0.5} ${right} ${belly + 1} ${right - length * 0.18} ${belly + depth * 0.06}` +
    `C${length * 0.1} ${belly + depth * 0.12} ${-length * 0.05} ${belly + depth * 0.04} ${left + length * 0.26} ${belly - depth * 0.04}` +
    `C${left + length * 0.06} ${belly + depth * 0.02} ${left} ${belly - depth * 0.2} ${left} ${back + depth * 0.45}Z`;
  const leg = (hip: number, ahead: number, colour: Paint, hind: boolean): Drawing => {
    const knee = hip + ahead * 0.35 + (hind ? -q.legWidth * 0.35 : q.legWidth * 0.12);
    const foot = hip + ahead;
    return [
      stroke(
        `M${hip} ${belly - depth * 0.22}L${knee} ${belly * 0.5}L${foot} ${-q.legWidth * 0.5}`,
        colour,
        q.legWidth,
      ),
      ellipse(
        foot + q.legWidth * 0.16,
        -q.legWidth * 0.3,
        q.legWidth * 0.66,
        q.legWidth * 0.36,
        q.hoof ?? colour,
      ),
    ];
  };
  const hindX = left + length * 0.15;
  const foreX = right - length * 0.14;
  return {
    outline,
    drawing: [
      leg(hindX + length * 0.07, hindFar, q.shade, true),
      leg(foreX - length * 0.06, foreFar, q.shade, false),
      leg(hindX, hindNear, q.coat, true),
      leg(foreX, foreNear, q.coat, false),
      ellipse(hindX + length * 0.03, belly - depth * 0.34, length * 0.16, depth * 0.44, q.coat),
      path(outline, q.coat),
    ],
  };
}

export function eye(x: number, y: number, r = 1.8, colour = "#22252b"): Drawing {
  return [circle(x, y, r, colour), circle(x + r * 0.3, y - r * 0.35, r * 0.34, "#ffffff")];
}

/** A closed, sleeping eye. */
export function closedEye(x: number, y: number, w = 5, colour = "#3a2e28"): Drawing {
  return stroke(`M${x - w / 2} ${y}q${w / 2} ${w * 0.55} ${w} 0`, colour, 1.3);
}
