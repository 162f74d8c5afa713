import type { MessageInitShape } from "@bufbuild/protobuf";
import type { RetrievalSchema, RetrievedExampleSchema } from "@kindred/contracts/generation-tracking/v1";
import { SearchMethodSchema } from "@kindred/contracts/vector-store/v1";
import type { Kindred } from "./connect.ts";

/** What was found, as generation-tracking records it. */
export interface Retrieved {
  examples: (MessageInitShape<typeof RetrievedExampleSchema> & { imagePath: string; caption: string })[];
  retrieval: MessageInitShape<typeof RetrievalSchema>;
}

/** The pictures whose captions are nearest to the text, and how they were found. */
export async function retrieve(
  { search }: Pick<Kindred, "search">,
  text: string,
  k: number,
): Promise<Retrieved> {
  const { hits, plan } = await search.search({ query: { case: "text", value: text }, k });
  return {
    examples: hits.flatMap(({ image, similarity }, i) =>
      image
        ? [
            {
              imageId: image.id,
              imagePath: image.imagePath,
              caption: image.description,
              similarity,
              rank: i + 1,
            },
          ]
        : [],
    ),
    // With these, the same search can be made again later, and its answer be compared.
    retrieval: {
      query: text,
      k,
      spaceId: plan?.spaceId ?? "",
      method: SearchMethodSchema.value[plan?.method ?? 0]?.localName.toLowerCase() ?? "",
      indexName: plan?.indexName ?? "",
      efSearch: plan?.efSearch ?? 0,
      probes: plan?.probes ?? 0,
      expectedRecall: plan?.expectedRecall ?? 0,
    },
  };
}

/** The prompt with the captions of what was found: what a text-to-image model would be sent. */
export function augment(prompt: string, captions: readonly string[]): string {
  return [prompt, ...captions.map((caption) => `As in: ${caption}`)].join("\n");
}
