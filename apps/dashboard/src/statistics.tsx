import type { GetDatabaseStatsResponse } from "@kindred/contracts/metrics/v1";
import type { GetStatisticsResponse } from "@kindred/contracts/vector-store/v1";
import { explain, indexClient, metricsClient } from "./clients.ts";
import { Databases } from "./databases.tsx";
import { bytesText, countText, durationText } from "./format.ts";
import { usePolled } from "./use-polled.ts";

const EVERY_MS = 10_000;

const databaseStats = (signal: AbortSignal): Promise<GetDatabaseStatsResponse> =>
  metricsClient.getDatabaseStats({}, { signal });
const storeStatistics = (signal: AbortSignal): Promise<GetStatisticsResponse> =>
  indexClient.getStatistics({}, { signal });

export function Statistics() {
  const totals = usePolled(databaseStats, EVERY_MS);
  const store = usePolled(storeStatistics, EVERY_MS);
  const failure = totals.error ?? store.error;
  const stats = totals.value;
  return (
    <section className="statistics" aria-labelledby="statistics-title">
      <h2 id="statistics-title">Statistics</h2>
      {failure !== undefined && (
        <p className="notice" role="alert">
          {explain(failure)}
        </p>
      )}
      <dl>
        <Figure name="images" value={stats?.totalImages} />
        <Figure name="embeddings" value={stats?.totalEmbeddings} />
        <Figure name="generations" value={stats?.totalGenerations} />
        <Figure name="generations in 24 h" value={stats?.recentGenerations} />
        <Figure
          name="average generation"
          value={
            stats?.avgGenerationTimeMs === undefined ? undefined : durationText(stats.avgGenerationTimeMs)
          }
        />
        <Figure
          name="vectors and indexes"
          value={store.value === undefined ? undefined : bytesText(store.value.embeddingsSizeBytes)}
        />
      </dl>
      {store.value && (
        <p className="facts">
          {store.value.indexes.length === 0
            ? "No vector index yet: searches compare every vector. Build one with: kindred index ensure"
            : store.value.indexes
                .map(
                  (i) => `${i.name} (${i.method}, ${bytesText(i.sizeBytes)}${i.valid ? "" : ", not valid"})`,
                )
                .join(", ")}
          {store.value.spaceId !== "" && <code title="Embedding space">{store.value.spaceId}</code>}
        </p>
      )}
      {stats && <Databases databases={stats.databases} />}
      {stats?.unavailable.map(({ service, reason }) => (
        <p className="notice" key={service}>
          {service}: {reason}
        </p>
      ))}
    </section>
  );
}

function Figure({ name, value }: { name: string; value: bigint | string | undefined }) {
  return (
    <div>
      <dt>{name}</dt>
      <dd>{value === undefined ? "–" : typeof value === "bigint" ? countText(value) : value}</dd>
    </div>
  );
}
