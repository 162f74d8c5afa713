import { KindredError } from "@kindred/errors";

export function noImage(key: { id: bigint } | { imagePath: string }): KindredError {
  const which = "id" in key ? `id ${key.id}` : `image_path ${JSON.stringify(key.imagePath)}`;
  return new KindredError("not-found", `there is no image with ${which}`);
}
