import { pageTokens } from "@kindred/page-tokens";
import type { Image, ImageFilter } from "./image.ts";
import type { CallLimits, ImageRepository } from "./ports.ts";

const tokens = pageTokens({ name: "images", position: ["integer"] });

/**
 * One page of images by ascending id. What is added meanwhile appears on later pages; nothing appears twice.
 * @param request.pageSize at least 1
 * @throws KindredError invalid-argument on `page_token`.
 */
export async function listImages(
  deps: { images: Pick<ImageRepository, "list"> },
  request: { filter: ImageFilter; pageSize: number; pageToken: string },
  limits: CallLimits,
): Promise<{ images: Image[]; nextPageToken: string }> {
  const { filter, pageSize } = request;
  const [afterId] = tokens.open(filter, request.pageToken) ?? [0n];
  // One more than asked for: it tells whether there is a next page.
  const found = await deps.images.list({ filter, afterId, limit: pageSize + 1 }, limits);
  const images = found.slice(0, pageSize);
  const last = images.at(-1);
  return { images, nextPageToken: found.length > pageSize && last ? tokens.seal(filter, [last.id]) : "" };
}
