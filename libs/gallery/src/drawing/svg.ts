import { createHash } from "node:crypto";

/** One SVG element. Gradients and clips stand in the tree where they are used; `toSvg` moves them to <defs>. */
export interface Shape {
  readonly tag: string;
  readonly attributes: Readonly<Record<string, string | number | Gradient | undefined>>;
  readonly children: readonly Shape[];
  readonly clip?: Shape;
}

/** Anything that can be drawn, back to front. */
export type Drawing = Shape | readonly Drawing[];

export interface Gradient {
  readonly kind: "linear" | "radial";
  /** Degrees clockwise; 0 runs left to right, 90 top to bottom. Linear only. */
  readonly angle: number;
  readonly stops: readonly GradientStop[];
}

export interface GradientStop {
  /** 0 to 1. */
  readonly offset: number;
  readonly colour: string;
  readonly opacity: number;
}

export type Paint = string | Gradient;

export interface Style {
  stroke?: Paint;
  width?: number;
  opacity?: number;
  /** Degrees clockwise about the shape's centre (about the origin for paths). */
  rotate?: number;
  /** Corner radius of a rectangle. */
  round?: number;
  dash?: string;
  cap?: "round" | "butt";
}

export interface Placement {
  /** 1 keeps the size; a pair scales each axis by itself. */
  scale?: number | readonly [number, number];
  rotate?: number;
  /** Mirrored left to right. */
  flip?: boolean;
  opacity?: number;
}

function styled(style: Style): Record<string, string | number | Gradient | undefined> {
  return {
    stroke: style.stroke,
    "stroke-width": style.width,
    opacity: style.opacity,
    "stroke-dasharray": style.dash,
    "stroke-linecap": style.cap,
  };
}

function turned(style: Style, x: number, y: number): string | undefined {
  return style.rotate === undefined ? undefined : `rotate(${n(style.rotate)} ${n(x)} ${n(y)})`;
}

function shape(tag: string, attributes: Shape["attributes"], children: readonly Shape[] = []): Shape {
  return { tag, attributes, children };
}

export function rect(x: number, y: number, w: number, h: number, fill: Paint, style: Style = {}): Shape {
  const transform = turned(style, x + w / 2, y + h / 2);
  return shape("rect", { x, y, width: w, height: h, rx: style.round, fill, transform, ...styled(style) });
}

export function circle(x: number, y: number, r: number, fill: Paint, style: Style = {}): Shape {
  return shape("circle", { cx: x, cy: y, r, fill, ...styled(style) });
}

export function ellipse(x: number, y: number, rx: number, ry: number, fill: Paint, style: Style = {}): Shape {
  return shape("ellipse", { cx: x, cy: y, rx, ry, fill, transform: turned(style, x, y), ...styled(style) });
}

/** `d` as in SVG. */
export function path(d: string, fill: Paint, style: Style = {}): Shape {
  return shape("path", { d, fill, transform: turned(style, 0, 0), ...styled(style) });
}

/** Corners as "x,y x,y …". */
export function polygon(points: string, fill: Paint, style: Style = {}): Shape {
  return shape("polygon", { points, fill, "stroke-linejoin": "round", ...styled(style) });
}

/** An open line with round ends and corners. */
export function stroke(d: string, colour: Paint, width: number, style: Style = {}): Shape {
  return shape("path", {
    d,
    fill: "none",
    "stroke-linejoin": "round",
    ...styled({ cap: "round", ...style, stroke: colour, width }),
  });
}

/** Draws in coordinates of its own, whose origin lies at (x, y). */
export function at(x: number, y: number, placement: Placement, ...drawings: readonly Drawing[]): Shape {
  const { scale = 1, rotate = 0, flip = false, opacity } = placement;
  const [sx, sy] = typeof scale === "number" ? [scale, scale] : scale;
  const transform = `translate(${n(x)} ${n(y)}) rotate(${n(rotate)}) scale(${n(flip ? -sx : sx)} ${n(sy)})`;
  return shape("g", { transform, opacity }, flatten(drawings));
}

/** Shows only what lies inside the outline. */
export function clipped(outline: Shape, ...drawings: readonly Drawing[]): Shape {
  return { tag: "g", attributes: {}, children: flatten(drawings), clip: outline };
}

/** Evenly spaced colours, left to right unless turned. */
export function gradient(colours: readonly string[], angle = 0): Gradient {
  return { kind: "linear", angle, stops: evenly(colours) };
}

/** Evenly spaced colours, top to bottom. */
export function downward(...colours: readonly string[]): Gradient {
  return gradient(colours, 90);
}

/** Evenly spaced colours, from the centre outwards. */
export function radial(...colours: readonly string[]): Gradient {
  return { kind: "radial", angle: 0, stops: evenly(colours) };
}

/** One colour that fades away from the centre outwards. */
export function glow(colour: string, opacity = 0.9): Gradient {
  return {
    kind: "radial",
    angle: 0,
    stops: [
      { offset: 0, colour, opacity },
      { offset: 1, colour, opacity: 0 },
    ],
  };
}

/** One colour that fades away from top to bottom, or the other way round when `from` is less than `to`. */
export function fade(colour: string, from = 1, to = 0, angle = 90): Gradient {
  return {
    kind: "linear",
    angle,
    stops: [
      { offset: 0, colour, opacity: from },
      { offset: 1, colour, opacity: to },
    ],
  };
}

function evenly(colours: readonly string[]): GradientStop[] {
  const last = Math.max(1, colours.length - 1);
  return colours.map((colour, i) => ({ offset: i / last, colour, opacity: 1 }));
}

export function flatten(drawing: Drawing): readonly Shape[] {
  return isShape(drawing) ? [drawing] : drawing.flatMap(flatten);
}

function isShape(drawing: Drawing): drawing is Shape {
  return !Array.isArray(drawing);
}

/** Two decimals: enough for the eye, and the same text on every machine. */
function n(value: number): string {
  return String(Math.round(value * 100) / 100);
}

/** The whole picture as an SVG document. The same drawing gives the same text. */
export function toSvg(width: number, height: number, drawing: Drawing): string {
  const defs = new Map<string, string>();
  const body = flatten(drawing)
    .map((s) => render(s, defs))
    .join("");
  const size = `width="${width}" height="${height}" viewBox="0 0 ${width} ${height}"`;
  return `<svg xmlns="http://www.w3.org/2000/svg" ${size}><defs>${[...defs.values()].join("")}</defs>${body}</svg>`;
}

function render(s: Shape, defs: Map<string, string>): string {
  const attributes: string[] = [];
  for (const [name, value] of Object.entries(s.attributes)) {
    if (value === undefined) continue;
    const text =
      typeof value === "number"
        ? n(value)
        : typeof value === "string"
          ? value
          : define(defs, (id) => gradientElement(id, value));
    attributes.push(` ${name}="${text}"`);
  }
  if (s.clip) {
    const outline = render(s.clip, defs);
    const url = define(defs, (id) => `<clipPath id="${id}">${outline}</clipPath>`);
    attributes.push(` clip-path="${url}"`);
  }
  const children = s.children.map((child) => render(child, defs)).join("");
  return `<${s.tag}${attributes.join("")}>${children}</${s.tag}>`;
}

/** Ids are digests of what they name, so equal definitions are written once. */
function define(defs: Map<string, string>, element: (id: string) => string): string {
  const id = `d${createHash("sha256").update(element("")).digest("hex").slice(0, 12)}`;
  defs.set(id, element(id));
  return `url(#${id})`;
}

function gradientElement(id: string, g: Gradient): string {
  const stops = g.stops
    .map((s) => `<stop offset="${n(s.offset)}" stop-color="${s.colour}" stop-opacity="${n(s.opacity)}"/>`)
    .join("");
  if (g.kind === "radial") return `<radialGradient id="${id}">${stops}</radialGradient>`;
  const turn = g.angle === 0 ? "" : ` gradientTransform="rotate(${n(g.angle)} 0.5 0.5)"`;
  return `<linearGradient id="${id}"${turn}>${stops}</linearGradient>`;
}
