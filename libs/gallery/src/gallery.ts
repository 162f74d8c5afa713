import { randomUUID } from "node:crypto";
import { mkdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import { availableParallelism } from "node:os";
import { dirname, join } from "node:path";
import { HEIGHT, WIDTH, type Scene } from "./drawing/scene.ts";
import { toSvg, type Drawing } from "./drawing/svg.ts";
import { drawPng, shows } from "./png.ts";
import { ballGames } from "./scenes/ball-games.ts";
import { concerts } from "./scenes/concerts.ts";
import { farm } from "./scenes/farm.ts";
import { livingRooms } from "./scenes/living-rooms.ts";
import { meals } from "./scenes/meals.ts";
import { music } from "./scenes/music.ts";
import { nature } from "./scenes/nature.ts";
import { people } from "./scenes/people.ts";
import { peopleAtWork } from "./scenes/people-at-work.ts";
import { pets } from "./scenes/pets.ts";
import { places } from "./scenes/places.ts";
import { railAndAir } from "./scenes/rail-and-air.ts";
import { roadTraffic } from "./scenes/road-traffic.ts";
import { seaScenes } from "./scenes/sea.ts";
import { space } from "./scenes/space.ts";
import { sport } from "./scenes/sport.ts";
import { storms } from "./scenes/storms.ts";
import { sweetFood } from "./scenes/sweet-food.ts";
import { towns } from "./scenes/towns.ts";
import { weather } from "./scenes/weather.ts";
import { wildlife } from "./scenes/wildlife.ts";
import { woodland } from "./scenes/woodland.ts";
import { workRooms } from "./scenes/work-rooms.ts";

const CATEGORIES: Readonly<Record<string, readonly Scene[]>> = {
  pets,
  farm,
  wildlife: [...wildlife, ...woodland],
  sea: seaScenes,
  vehicles: [...roadTraffic, ...railAndAir],
  rooms: [...livingRooms, ...workRooms],
  food: [...meals, ...sweetFood],
  sport: [...ballGames, ...sport],
  weather: [...weather, ...storms],
  places: [...places, ...towns],
  space,
  music: [...music, ...concerts],
  nature,
  people: [...people, ...peopleAtWork],
};

/** A picture of the sample gallery, as the catalogue knows it. */
export interface GalleryPicture {
  /** The image_path: relative to the media root, with slashes, e.g. "gallery/pets/cat-on-sofa.png". */
  readonly path: string;
  readonly category: string;
  /** What the picture shows, in one sentence. */
  readonly caption: string;
  /** The category first. */
  readonly tags: readonly string[];
  /** In pixels. */
  readonly width: number;
  readonly height: number;
}

interface Entry {
  readonly picture: GalleryPicture;
  readonly scene: Scene;
}

const entries: readonly Entry[] = Object.entries(CATEGORIES).flatMap(([category, scenes]) =>
  scenes.map((scene) => ({
    scene,
    picture: {
      path: `gallery/${category}/${scene.name}.png`,
      category,
      caption: scene.caption,
      tags: [category, ...scene.tags.filter((tag) => tag !== category)],
      width: WIDTH,
      height: HEIGHT,
    },
  })),
);

/** By category, in a fixed order. */
export const pictures: readonly GalleryPicture[] = entries.map((entry) => entry.picture);

/** What a picture of the gallery shows, in the gallery's size; undefined when the path is not of the gallery. */
export function drawingOf(path: string): Drawing | undefined {
  return entries.find(({ picture }) => picture.path === path)?.scene.draw();
}

export interface WriteGalleryOptions {
  /** Called after each picture, whether it had to be drawn or not. */
  onProgress?(done: number, total: number): void;
}

/**
 * Draws every picture to `<mediaRoot>/<path>`. A file that is whole and shows the current drawing is left alone; any other one is
 * replaced at once by a rename, so that a reader never sees half a picture and a killed run leaves none behind.
 * @throws the error of the file system, e.g. ENOSPC or EACCES.
 */
export async function writeGallery(mediaRoot: string, options: WriteGalleryOptions = {}): Promise<void> {
  for (const folder of new Set(pictures.map((p) => dirname(join(mediaRoot, p.path))))) {
    await mkdir(folder, { recursive: true });
  }
  const queue = entries.values();
  let done = 0;
  const work = async (): Promise<void> => {
    for (const { picture, scene } of queue) {
      await writePicture(join(mediaRoot, picture.path), toSvg(WIDTH, HEIGHT, scene.draw()));
      done += 1;
      options.onProgress?.(done, entries.length);
    }
  };
  // sharp draws outside the event loop: a few pictures at a time keep every core busy.
  await Promise.all(Array.from({ length: Math.min(8, availableParallelism() + 1) }, work));
}

async function writePicture(path: string, svg: string): Promise<void> {
  const present = await readIfPresent(path);
  if (present && shows(present, svg)) return;
  const temporary = `${path}.${randomUUID()}.tmp`;
  try {
    await writeFile(temporary, await drawPng(svg), { flush: true });
    await rename(temporary, path);
  } catch (error) {
    await rm(temporary, { force: true });
    throw error;
  }
}

async function readIfPresent(path: string): Promise<Buffer | undefined> {
  try {
    return await readFile(path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw error;
  }
}
