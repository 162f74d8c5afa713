import { messageOf } from "@kindred/errors";

export interface CatalogueCounts {
  totalImages: bigint;
  totalEmbeddings: bigint;
}

export interface GenerationCounts {
  totalGenerations: bigint;
  recentGenerations: bigint;
  /** Undefined when no completed generation has a time. */
  avgGenerationTimeMs: number | undefined;
}

/** Asks one service for what it owns, with a deadline; rejects when it does not answer in time. */
export type StatisticsSource<T> = (options: { timeoutMs: number; signal: AbortSignal }) => Promise<T>;

export interface StatisticsSources {
  vectorStore: StatisticsSource<CatalogueCounts>;
  generationTracking: StatisticsSource<GenerationCounts>;
}

/** What a service that did not answer owns is undefined. */
export interface DatabaseStats {
  catalogue: CatalogueCounts | undefined;
  generations: GenerationCounts | undefined;
  unavailable: { service: string; reason: string }[];
}

/** Asks all sources at once, and takes what they answer in time. */
export async function gatherDatabaseStats(
  sources: StatisticsSources,
  options: { timeoutMs: number; signal: AbortSignal },
): Promise<DatabaseStats> {
  const unavailable: DatabaseStats["unavailable"] = [];
  const ask = async <T>(service: string, source: StatisticsSource<T>): Promise<T | undefined> => {
    try {
      return await source(options);
    } catch (error) {
      // The caller is gone: there is nobody to tell.
      options.signal.throwIfAborted();
      unavailable.push({ service, reason: firstLine(messageOf(error)) });
      return undefined;
    }
  };
  const [catalogue, generations] = await Promise.all([
    ask("vector-store", sources.vectorStore),
    ask("generation-tracking", sources.generationTracking),
  ]);
  unavailable.sort((a, b) => (a.service < b.service ? -1 : 1));
  return { catalogue, generations, unavailable };
}

function firstLine(text: string): string {
  return text.split("\n", 1)[0] as string;
}
