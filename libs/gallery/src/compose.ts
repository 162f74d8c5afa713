import { createHash } from "node:crypto";
import { randomNumbers } from "./drawing/scatter.ts";
import { HEIGHT, WIDTH } from "./drawing/scene.ts";
import { at, clipped, rect, toSvg, type Drawing } from "./drawing/svg.ts";
import { drawingOf } from "./gallery.ts";
import { drawPng } from "./png.ts";

export interface ComposeOptions {
  /**
   * image_paths, 1 to 8. The first picture fills the new one, the others lie on it like prints on a table. In the place of what is not of the
   * gallery there is a blank sheet, in a colour of its path's.
   */
  paths: readonly string[];
  /** Where the prints lie, and how. */
  seed: number;
  /** Called as each of the paths is in place. */
  onStep?(done: number, total: number): void | Promise<void>;
}

const MOST = 8;
const FRAME = 10;

/**
 * Makes one PNG file of several pictures; the same pictures and the same seed give the same bytes.
 * @throws RangeError when there are none or more than eight.
 */
export async function composePicture({ paths, seed, onStep }: ComposeOptions): Promise<Buffer> {
  if (paths.length < 1 || paths.length > MOST) {
    throw new RangeError(`a picture is made of 1 to ${MOST} pictures, not of ${paths.length}`);
  }
  const random = randomNumbers(seed);
  const parts: Drawing[] = [];
  for (const [i, path] of paths.entries()) {
    const drawing = drawingOf(path) ?? blankSheet(path);
    parts.push(i === 0 ? drawing : print(drawing, { place: i - 1, of: paths.length - 1, random }));
    await onStep?.(i + 1, paths.length);
  }
  return await drawPng(toSvg(WIDTH, HEIGHT, parts));
}

function blankSheet(path: string): Drawing {
  const [red, green, blue] = createHash("sha256").update(path).digest();
  const pale = [red, green, blue].map((channel = 0) => (128 + (channel >> 1)).toString(16));
  return rect(0, 0, WIDTH, HEIGHT, `#${pale.join("")}`);
}

/** A small picture in a white frame, in a column of its own, turned a little. */
function print(
  drawing: Drawing,
  { place, of, random }: { place: number; of: number; random: () => number },
): Drawing {
  const scale = Math.min(0.36, 0.9 / of);
  const column = WIDTH / of;
  const x = column * (place + 0.5) + (random() - 0.5) * column * 0.2;
  const y = HEIGHT * (0.3 + 0.4 * random());
  const window = rect(0, 0, WIDTH, HEIGHT, "#000000");
  return at(
    x,
    y,
    { scale, rotate: (random() - 0.5) * 24 },
    at(
      -WIDTH / 2,
      -HEIGHT / 2,
      {},
      rect(-FRAME, -FRAME, WIDTH + 2 * FRAME, HEIGHT + 2 * FRAME, "#ffffff", { stroke: "#c9c4bb", width: 3 }),
      clipped(window, drawing),
    ),
  );
}
