import type { MessageInitShape } from "@bufbuild/protobuf";
import type { RetrievedExampleSchema } from "@kindred/contracts/generation-tracking/v1";
import type { Clients } from "../clients.ts";
import { captionOf } from "../vectors/render-search.ts";

type ExampleInit = MessageInitShape<typeof RetrievedExampleSchema>;

/** What a search finds, as examples. */
export async function retrieve(
  clients: Pick<Clients, "search">,
  query: string,
  k: number,
): Promise<ExampleInit[]> {
  const { hits } = await clients.search.search({ query: { case: "text", value: query }, k });
  return hits.map((hit) => ({
    imageId: hit.image?.id ?? 0n,
    imagePath: hit.image?.imagePath ?? "",
    caption: captionOf(hit),
    similarity: hit.similarity,
  }));
}
