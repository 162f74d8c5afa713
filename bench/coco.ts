import { readFileSync } from "node:fs";

export interface CocoPicture {
  id: number;
  fileName: string;
  width: number;
  height: number;
  /** By annotation id. */
  captions: { id: number; text: string }[];
}

interface CocoFile {
  images: { id: number; file_name: string; width: number; height: number }[];
  annotations: { id: number; image_id: number; caption: string }[];
}

/** The pictures of a COCO captions file by ascending id, each with its captions by ascending annotation id. */
export function readCoco(path: string): CocoPicture[] {
  const file = JSON.parse(readFileSync(path, "utf8")) as CocoFile;
  const pictures = new Map<number, CocoPicture>();
  for (const { id, file_name, width, height } of file.images) {
    pictures.set(id, { id, fileName: file_name, width, height, captions: [] });
  }
  for (const { id, image_id, caption } of file.annotations) {
    pictures.get(image_id)?.captions.push({ id, text: caption });
  }
  const sorted = [...pictures.values()].toSorted((a, b) => a.id - b.id);
  for (const picture of sorted) picture.captions.sort((a, b) => a.id - b.id);
  return sorted;
}
