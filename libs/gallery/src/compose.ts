import { randomNumbers } from "./drawing/scatter.ts";
import { HEIGHT, WIDTH } from "./drawing/scene.ts";
import { at, clipped, rect, toSvg, type Drawing } from "./drawing/svg.ts";
import { drawingOf } from "./gallery.ts";
import { drawPng } from "./png.ts";

export interface ComposeOptions {
  /** image_paths of pictures of the gallery, 1 to 8. The first fills the picture, the others lie on it like prints on a table. */
  paths: readonly string[];
  /** Where the prints lie, and how. */
  seed: number;
  /** Called as each of the paths is in place. */
  onStep?(done: number, total: number): void | Promise<void>;
}

const MOST = 8;
const FRAME = 10;

/**
 * Makes one PNG file of several pictures of the gallery; the same pictures and the same seed give the same bytes.
 * @throws RangeError when there are none or more than eight, or one is not of the gallery.
 */
export async function composePicture({ paths, seed, onStep }: ComposeOptions): Promise<Buffer> {
  if (paths.length < 1 || paths.length > MOST) {
    throw new RangeError(`a picture is made of 1 to ${MOST} pictures, not of ${paths.length}`);
  }
  const random = randomNumbers(seed);
  const parts: Drawing[] = [];
  for (const [i, path] of paths.entries()) {
    const drawing = drawingOf(path);
    if (drawing === undefined) throw new RangeError(`no picture of the gallery is ${JSON.stringify(path)}`);
    parts.push(i === 0 ? drawing : print(drawing, { place: i - 1, of: paths.length - 1, random }));
    await onStep?.(i + 1, paths.length);
  }
  return await drawPng(toSvg(WIDTH, HEIGHT, parts));
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
