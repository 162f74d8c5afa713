import { KindredError } from "@kindred/errors";
import type { GenerationStore } from "../generation-store.ts";
import type { Generation, Retrieval, RetrievedExample } from "../generation.ts";
import { compareExamples, imageKey, missingImages, type ExampleComparison } from "./compare-examples.ts";
import type { CallLimits, ExampleSource, RetrievalQuery } from "./ports.ts";

/** Examples where nothing says how many there were. */
const DEFAULT_K = 10;
const MAX_K = 1000;
/** Questions to the catalogue that are under way at a time. */
const LOOKUPS = 8;

export interface Replay extends ExampleComparison {
  query: string;
  /** By rank. */
  examplesThen: readonly RetrievedExample[];
  /** By rank. */
  examplesNow: readonly RetrievedExample[];
  retrievalThen: Retrieval | undefined;
  retrievalNow: Retrieval;
  /** Whether another embedding space is searched today. */
  spaceChanged: boolean;
}

/**
 * Retrieves again what one generation retrieved, and says what is different. The effort is the one that the vector store chooses today.
 * @param options.k undefined: as many as were asked for then, else as there were
 * @throws KindredError not-found when there is no such generation; unavailable when the vector store cannot be reached.
 */
export async function replayRetrieval(
  deps: { store: Pick<GenerationStore, "find">; examples: ExampleSource },
  id: bigint,
  options: { k: number | undefined; exact: boolean },
  limits: CallLimits,
): Promise<Replay> {
  const generation = await deps.store.find(id);
  if (!generation) throw new KindredError("not-found", `there is no generation with id ${id}`);
  const query = queryOf(generation, options);
  const examplesThen = generation.retrievedExamples.toSorted((a, b) => a.rank - b.rank);
  const { examples: examplesNow, retrieval: retrievalNow } = await deps.examples.retrieve(query, limits);
  const catalogued = await findCatalogued(deps.examples, missingImages(examplesThen, examplesNow), limits);
  const spaceThen = generation.retrieval?.spaceId ?? "";
  return {
    query: query.text,
    examplesThen,
    examplesNow,
    retrievalThen: generation.retrieval,
    retrievalNow,
    ...compareExamples(examplesThen, examplesNow, catalogued),
    spaceChanged: spaceThen !== "" && retrievalNow.spaceId !== "" && spaceThen !== retrievalNow.spaceId,
  };
}

/** What was asked for then; the prompt where that was not recorded. */
function queryOf(
  { prompt, retrieval, retrievedExamples }: Generation,
  { k, exact }: { k: number | undefined; exact: boolean },
): RetrievalQuery {
  return {
    text: retrieval?.query || prompt,
    k: Math.min(k ?? (retrieval?.k || retrievedExamples.length || DEFAULT_K), MAX_K),
    threshold: retrieval?.threshold,
    exact,
  };
}

/** The keys of those images that the catalogue has. */
async function findCatalogued(
  source: ExampleSource,
  images: readonly RetrievedExample[],
  limits: CallLimits,
): Promise<Set<string>> {
  const found = new Set<string>();
  const queue = images.values();
  const ask = async (): Promise<void> => {
    // One iterator for all: each image is taken by one of them.
    for (const image of queue) if (await source.hasImage(image, limits)) found.add(imageKey(image));
  };
  await Promise.all(Array.from({ length: Math.min(LOOKUPS, images.length) }, ask));
  return found;
}
