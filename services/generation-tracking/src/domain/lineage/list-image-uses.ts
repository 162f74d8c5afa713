import { decodePosition, encodePosition } from "./page-token.ts";
import type { ImageReference, ImageUse, LineageStore } from "./ports.ts";

/**
 * One page of the generations that retrieved an image, newest first. What is recorded meanwhile neither shifts pages nor appears twice.
 * @param request.pageSize at least 1
 * @throws KindredError invalid-argument on `page_token`.
 */
export async function listImageUses(
  deps: { lineage: Pick<LineageStore, "uses"> },
  request: { image: ImageReference; pageSize: number; pageToken: string },
): Promise<{ uses: ImageUse[]; nextPageToken: string; total: bigint }> {
  const { image, pageSize } = request;
  const list = ["uses", "imageId" in image ? `id:${image.imageId}` : `path:${image.imagePath}`];
  const position = decodePosition(list, request.pageToken, 2) as [bigint, bigint] | undefined;
  const after = position && { createdAtMicros: position[0], generationId: position[1] };
  // One more than asked for: it tells whether there is a next page.
  const { uses: found, total } = await deps.lineage.uses({ image, after, limit: pageSize + 1 });
  const uses = found.slice(0, pageSize);
  const last = uses.at(-1)?.generation;
  return {
    uses,
    nextPageToken:
      found.length > pageSize && last ? encodePosition(list, [last.createdAtMicros, last.id]) : "",
    total,
  };
}
