import type { MessageInitShape } from "@bufbuild/protobuf";
import type { GenerationFieldsSchema } from "@kindred/contracts/generation-tracking/v1";
import { SearchMethod, type SearchPlan } from "@kindred/contracts/vector-store/v1";
import type { Command } from "commander";
import type { Clients } from "../clients.ts";
import { integerOption, numberOption } from "../commands/parse.ts";
import { captionOf } from "../vectors/render-search.ts";

type FieldsInit = MessageInitShape<typeof GenerationFieldsSchema>;

export interface RetrievalOptions {
  query: string;
  k: number;
  /** Least similarity. */
  threshold: number | undefined;
}

/** How options say that a generation has what a search finds as its examples. */
export interface FromSearchOptions {
  fromSearch?: string;
  k: number;
  threshold?: number;
}

/** Adds the options of FromSearchOptions. */
export function addFromSearchOptions(command: Command): Command {
  return command
    .option(
      "--from-search <query>",
      "search for this first, and record what is found as the retrieved examples",
    )
    .option("-k, --k <count>", "how many examples --from-search takes", integerOption(1, 1_000), 5)
    .option(
      "--threshold <similarity>",
      "least similarity of what --from-search takes",
      numberOption(-1e9, 1e9),
    );
}

/** What a search finds, as examples, and how it found them: all that a replay of it needs. */
export async function retrieve(clients: Pick<Clients, "search">, options: RetrievalOptions) {
  const { query, k, threshold } = options;
  const limit = threshold === undefined ? {} : { threshold };
  const { hits, plan } = await clients.search.search({ query: { case: "text", value: query }, k, ...limit });
  return {
    retrievedExamples: hits.map((hit) => ({
      imageId: hit.image?.id ?? 0n,
      imagePath: hit.image?.imagePath ?? "",
      caption: captionOf(hit),
      similarity: hit.similarity,
    })),
    retrieval: { query, k, ...limit, ...planFields(plan) },
  } satisfies FieldsInit;
}

function planFields(plan: SearchPlan | undefined) {
  if (!plan) return {};
  const { spaceId, method, indexName, efSearch, probes, expectedRecall } = plan;
  return { spaceId, method: methodName(method), indexName, efSearch, probes, expectedRecall };
}

function methodName(method: SearchMethod): string {
  if (method === SearchMethod.UNSPECIFIED) return "";
  return (
    Object.entries(SearchMethod)
      .find(([, value]) => value === method)?.[0]
      .toLowerCase() ?? ""
  );
}
