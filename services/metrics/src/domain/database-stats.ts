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

/** What a service has in its database. */
export interface DatabaseUsage {
  schema: string;
  /** By name. */
  tables: {
    name: string;
    /** Absent before the database has gathered statistics. */
    estimatedRows?: bigint;
    tableBytes: bigint;
    indexBytes: bigint;
    partitions: number;
  }[];
  /** Connections of the replica that answered. */
  pool: { total: number; idle: number; waiting: number; max: number };
  serverVersion: string;
}

/** How long an answer is waited for. */
export interface CallLimits {
  timeoutMs: number;
  signal: AbortSignal;
}

/** Asks one service for what it owns, with a deadline; rejects when it does not answer in time. */
export type StatisticsSource<T> = (limits: CallLimits) => Promise<T>;

export interface StatisticsSources {
  vectorStore: StatisticsSource<CatalogueCounts>;
  generationTracking: StatisticsSource<GenerationCounts>;
  /** By name of the service. */
  databases: Readonly<Record<string, StatisticsSource<DatabaseUsage | undefined>>>;
}

/** What a service that did not answer owns is undefined. */
export interface DatabaseStats {
  catalogue: CatalogueCounts | undefined;
  generations: GenerationCounts | undefined;
  /** By name of the service; of those that answered. */
  databases: { service: string; usage: DatabaseUsage }[];
  /** By name; each service once. */
  unavailable: { service: string; reason: string }[];
}

/** Asks all sources at once, and takes what they answer in time. */
export async function gatherDatabaseStats(
  sources: StatisticsSources,
  options: CallLimits,
): Promise<DatabaseStats> {
  const reasons = new Map<string, string>();
  const ask = async <T>(service: string, source: StatisticsSource<T>): Promise<T | undefined> => {
    try {
      return await source(options);
    } catch (error) {
      // The caller is gone: there is nobody to tell.
      options.signal.throwIfAborted();
      // Of two questions that it did not answer, one says why.
      if (!reasons.has(service)) reasons.set(service, firstLine(messageOf(error)));
      return undefined;
    }
  };
  const [catalogue, generations, usages] = await Promise.all([
    ask("vector-store", sources.vectorStore),
    ask("generation-tracking", sources.generationTracking),
    Promise.all(
      Object.entries(sources.databases).map(async ([service, source]) => ({
        service,
        usage: await ask(service, source),
      })),
    ),
  ]);
  const byService = (a: { service: string }, b: { service: string }) => (a.service < b.service ? -1 : 1);
  return {
    catalogue,
    generations,
    databases: usages
      .flatMap(({ service, usage }) => (usage === undefined ? [] : [{ service, usage }]))
      .toSorted(byService),
    unavailable: [...reasons].map(([service, reason]) => ({ service, reason })).toSorted(byService),
  };
}

function firstLine(text: string): string {
  return text.split("\n", 1)[0] as string;
}
