import { createClient, type Transport } from "@connectrpc/connect";
import {
  ImageService,
  SearchMethod,
  SearchService,
  type SearchHit,
  type SearchPlan,
} from "@kindred/contracts/vector-store/v1";
import { isKindredError, KindredError } from "@kindred/errors";
import { callOptions } from "@kindred/rpc";
import type { Retrieval, RetrievedExample } from "../../domain/generation.ts";
import type { ExampleSource, RetrievalQuery } from "../../domain/lineage/ports.ts";

const UNAVAILABLE_RETRY_MS = 1000;

/** The vector store's pictures behind its contract. The transport stays the caller's. */
export function exampleSource(transport: Transport): ExampleSource {
  const search = createClient(SearchService, transport);
  const images = createClient(ImageService, transport);
  return {
    async retrieve(query, limits) {
      const { text, k, threshold, exact } = query;
      const reply = await explained(() =>
        search.search(
          { query: { case: "text", value: text }, k, exact, ...(threshold !== undefined && { threshold }) },
          callOptions(limits),
        ),
      );
      return { examples: reply.hits.map(toExample), retrieval: toRetrieval(query, reply.plan) };
    },

    async hasImage({ imageId, imagePath }, limits) {
      if (imageId === 0n && imagePath === "") return false;
      const key =
        imageId === 0n
          ? { case: "imagePath" as const, value: imagePath }
          : { case: "id" as const, value: imageId };
      try {
        await explained(() => images.getImage({ key }, callOptions(limits)));
        return true;
      } catch (error) {
        if (isKindredError(error) && error.kind === "not-found") return false;
        throw error;
      }
    },
  };
}

/** Errors of the vector store in the words of this service's callers. */
async function explained<T>(call: () => Promise<T>): Promise<T> {
  try {
    return await call();
  } catch (error) {
    if (!isKindredError(error)) throw error;
    if (error.kind === "unavailable") {
      throw new KindredError("unavailable", `the vector store cannot be asked: ${error.message}`, {
        cause: error,
        retryAfterMs: error.retryAfterMs ?? UNAVAILABLE_RETRY_MS,
      });
    }
    // The fields that it names are those of its own contract.
    if (error.kind === "invalid-argument") {
      throw new KindredError(
        "failed-precondition",
        `the vector store refuses what was recorded: ${error.message}`,
        { cause: error },
      );
    }
    throw error;
  }
}

/** The caption is the text that was nearest, or else what is known of the picture: as the command line records it. */
function toExample(hit: SearchHit, i: number): RetrievedExample {
  const text = hit.metadata?.["text"];
  return {
    imageId: hit.image?.id ?? 0n,
    imagePath: hit.image?.imagePath ?? "",
    caption: typeof text === "string" ? text : (hit.image?.description ?? ""),
    similarity: hit.similarity,
    rank: i + 1,
  };
}

function toRetrieval({ text, k, threshold }: RetrievalQuery, plan: SearchPlan | undefined): Retrieval {
  return {
    query: text,
    k,
    threshold,
    spaceId: plan?.spaceId ?? "",
    method: methodName(plan?.method),
    indexName: plan?.indexName ?? "",
    efSearch: plan?.efSearch ?? 0,
    probes: plan?.probes ?? 0,
    expectedRecall: plan?.expectedRecall ?? 0,
  };
}

/** E.g. "hnsw"; empty where the store did not say, and for one that this version does not know. */
function methodName(method: SearchMethod | undefined): string {
  if (!method) return "";
  return (
    Object.entries(SearchMethod)
      .find(([, value]) => value === method)?.[0]
      .toLowerCase() ?? ""
  );
}
