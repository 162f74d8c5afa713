import type { Drawing } from "./svg.ts";

/** Every picture's size in pixels; scenes draw in these coordinates, (0, 0) at the top left. */
export const WIDTH = 480;
export const HEIGHT = 360;

export interface Scene {
  /** Unique in its category, kebab-case; the file's name without the extension. */
  readonly name: string;
  readonly caption: string;
  readonly tags: readonly string[];
  /** Back to front. */
  readonly draw: () => Drawing;
}

export function scene(name: string, caption: string, tags: readonly string[], draw: () => Drawing): Scene {
  return { name, caption, tags, draw };
}
