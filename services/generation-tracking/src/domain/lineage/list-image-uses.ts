import { pageTokens } from "@kindred/page-tokens";
import type { CallLimits, ImageReference, ImageUse, LineageStore } from "./ports.ts";

/** When the generation was recorded, in microseconds since 1970, and its id. */
const tokens = pageTokens({ name: "uses of an image", position: ["integer", "integer"] });

/**
 * One page of the generations that retrieved an image, newest first. What is recorded meanwhile neither shifts pages nor appears twice.
 * @param request.pageSize at least 1
 * @throws KindredError invalid-argument on `page_token`.
 */
export async function listImageUses(
  deps: { lineage: Pick<LineageStore, "uses"> },
  request: { image: ImageReference; pageSize: number; pageToken: string },
  limits: CallLimits,
): Promise<{ uses: ImageUse[]; nextPageToken: string; total: bigint }> {
  const { image, pageSize } = request;
  const begin = tokens.open(image, request.pageToken);
  const after = begin && { createdAtMicros: begin[0], generationId: begin[1] };
  // One more than asked for: it tells whether there is a next page.
  const { uses: found, total } = await deps.lineage.uses({ image, after, limit: pageSize + 1 }, limits);
  const uses = found.slice(0, pageSize);
  const last = uses.at(-1)?.generation;
  return {
    uses,
    nextPageToken: found.length > pageSize && last ? tokens.seal(image, [last.createdAtMicros, last.id]) : "",
    total,
  };
}
