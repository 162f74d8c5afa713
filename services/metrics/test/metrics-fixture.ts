import { createClient, type Client } from "@connectrpc/connect";
import { loadConfig } from "@kindred/config";
import { MetricsService } from "@kindred/contracts/metrics/v1";
import { databaseSettings, migrate, openDatabase, type Database } from "@kindred/postgres";
import { createInMemoryTransport } from "@kindred/rpc";
import { silentLogger, testDatabase } from "@kindred/testing";
import { componentStore } from "../src/adapters/postgres/component-store.ts";
import { historyStore } from "../src/adapters/postgres/history-store.ts";
import { liveStore } from "../src/adapters/postgres/live-store.ts";
import { DATABASE_SCHEMA, migrations } from "../src/adapters/postgres/migrations.ts";
import { sampleStore } from "../src/adapters/postgres/sample-store.ts";
import type { StatisticsSources } from "../src/domain/database-stats.ts";
import { createLiveSamples } from "../src/domain/live-samples.ts";
import type { NewSample } from "../src/domain/sample.ts";
import { createSampleWriter } from "../src/domain/sample-writer.ts";
import { metricsRoutes } from "../src/rpc/routes.ts";

/** A database of its own with the service's schema, and the RPCs over it in this process. */
export interface MetricsFixture extends AsyncDisposable {
  readonly url: string;
  readonly db: Database;
  readonly client: Client<typeof MetricsService>;
  /** Empties the tables, as if nothing had ever been reported or let go. */
  clear(): Promise<void>;
}

/** A sample of nothing, at the moment of storing. */
export const EMPTY_SAMPLE: NewSample = {
  component: "",
  instance: "",
  timestampMicros: undefined,
  cpuUsage: undefined,
  memoryUsageMb: undefined,
  diskUsageMb: undefined,
  gpuMemoryMb: undefined,
  activeConnections: undefined,
  eventLoopLagMs: undefined,
  cpuSource: undefined,
  memorySource: undefined,
  cpuLimit: undefined,
  memoryLimitMb: undefined,
  diskTotalMb: undefined,
  gpus: [],
  gpuProblem: "",
};

/** A further connection to a fixture's database, as another replica has one. */
export async function connect(url: string): Promise<Database> {
  return await openDatabase({
    config: loadConfig(databaseSettings, { DATABASE_URL: url }),
    schema: DATABASE_SCHEMA,
    applicationName: "metrics-test",
    logger: silentLogger(),
  });
}

export async function startMetrics({ maxWaiting = 10_000 } = {}): Promise<MetricsFixture> {
  await using opening = new AsyncDisposableStack();
  const { url } = opening.use(await testDatabase());
  const db = opening.use(await connect(url));
  await migrate(db, { migrations });
  const store = sampleStore(db);
  const live = opening.use(
    createLiveSamples({ store: liveStore(db), everyMs: 20, maxWaiting, log: silentLogger() }),
  );
  const routes = metricsRoutes({
    store,
    writer: createSampleWriter({ store }),
    history: historyStore(db),
    live,
    components: componentStore(db),
    sources: {} as StatisticsSources,
  });
  const open = opening.move();
  return {
    url,
    db,
    client: createClient(MetricsService, createInMemoryTransport(routes, { logger: silentLogger() })),
    clear: async () => {
      await db.query(
        "TRUNCATE system_metrics, system_metrics_minutes, system_metrics_hours, metric_rollups_due, metric_series",
      );
      await db.query("UPDATE metric_horizons SET dropped_before = '-infinity'");
    },
    [Symbol.asyncDispose]: () => open.disposeAsync(),
  };
}
