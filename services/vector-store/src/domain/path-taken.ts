import { KindredError } from "@kindred/errors";

/** An image_path that is in the catalogue already. */
export function pathTaken(imagePath: string, id: bigint | undefined): KindredError {
  const owner = id === undefined ? "is taken" : `is image ${id} already`;
  return new KindredError("already-exists", `image_path ${JSON.stringify(imagePath)} ${owner}`, {
    metadata: { image_path: imagePath, ...(id === undefined ? {} : { image_id: String(id) }) },
  });
}
