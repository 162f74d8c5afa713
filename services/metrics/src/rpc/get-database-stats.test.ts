import { createClient } from "@connectrpc/connect";
import { describe, expect, test } from "@jest/globals";
import { MetricsService } from "@kindred/contracts/metrics/v1";
import { KindredError } from "@kindred/errors";
import { createInMemoryTransport } from "@kindred/rpc";
import { silentLogger } from "@kindred/testing";
import type { DatabaseUsage, StatisticsSources } from "../domain/database-stats.ts";
import { metricsRoutes, type MetricsDeps } from "./routes.ts";

const usageOf = (schema: string): DatabaseUsage => ({
  schema,
  tables: [
    { name: "fresh", tableBytes: 8192n, indexBytes: 0n, partitions: 0 },
    {
      name: "things",
      estimatedRows: 2n ** 40n,
      tableBytes: 2n ** 43n,
      indexBytes: 2n ** 41n,
      partitions: 30,
    },
  ],
  pool: { total: 4, idle: 1, waiting: 2, max: 15 },
  serverVersion: "17.9",
});

const SOURCES: StatisticsSources = {
  vectorStore: () => Promise.resolve({ totalImages: 5000n, totalEmbeddings: 2n ** 62n }),
  generationTracking: () =>
    Promise.resolve({ totalGenerations: 7n, recentGenerations: 3n, avgGenerationTimeMs: 12.5 }),
  databases: {
    "vector-store": () => Promise.resolve(usageOf("vector_store")),
    metrics: () => Promise.resolve(usageOf("metrics")),
    "generation-tracking": () => Promise.resolve(usageOf("generation_tracking")),
  },
};

function clientOver(sources: Partial<StatisticsSources>) {
  const deps = { sources: { ...SOURCES, ...sources } } as MetricsDeps;
  return createClient(
    MetricsService,
    createInMemoryTransport(metricsRoutes(deps), { logger: silentLogger() }),
  );
}

const away = (): Promise<never> => Promise.reject(new KindredError("deadline-exceeded", "too late"));

describe("GetDatabaseStats", () => {
  test("has what every service answered", async () => {
    expect(await clientOver({}).getDatabaseStats({})).toMatchObject({
      totalImages: 5000n,
      totalEmbeddings: 2n ** 62n,
      totalGenerations: 7n,
      recentGenerations: 3n,
      avgGenerationTimeMs: 12.5,
      unavailable: [],
    });
  });

  test("zeros are set; an average that nobody has is not", async () => {
    const stats = await clientOver({
      vectorStore: () => Promise.resolve({ totalImages: 0n, totalEmbeddings: 0n }),
      generationTracking: () =>
        Promise.resolve({ totalGenerations: 0n, recentGenerations: 0n, avgGenerationTimeMs: undefined }),
    }).getDatabaseStats({});
    expect(stats).toMatchObject({
      totalImages: 0n,
      totalEmbeddings: 0n,
      totalGenerations: 0n,
      recentGenerations: 0n,
    });
    expect(stats.avgGenerationTimeMs).toBeUndefined();
  });

  test("has what every service has in its database, by name", async () => {
    const { databases } = await clientOver({}).getDatabaseStats({});
    expect(databases.map(({ service, usage }) => [service, usage?.schema])).toEqual([
      ["generation-tracking", "generation_tracking"],
      ["metrics", "metrics"],
      ["vector-store", "vector_store"],
    ]);
    expect(databases[0]?.usage).toMatchObject({
      tables: [
        { name: "fresh", tableBytes: 8192n, indexBytes: 0n, partitions: 0 },
        {
          name: "things",
          estimatedRows: 2n ** 40n,
          tableBytes: 2n ** 43n,
          indexBytes: 2n ** 41n,
          partitions: 30,
        },
      ],
      pool: { total: 4, idle: 1, waiting: 2, max: 15 },
      serverVersion: "17.9",
    });
    expect(databases[0]?.usage?.tables[0]?.estimatedRows).toBeUndefined();
  });

  test("a service that knows its counts but not its sizes is listed once, with what it knows", async () => {
    const stats = await clientOver({
      databases: { ...SOURCES.databases, "vector-store": away },
    }).getDatabaseStats({});
    expect(stats.totalImages).toBe(5000n);
    expect(stats.databases.map(({ service }) => service)).toEqual(["generation-tracking", "metrics"]);
    expect(stats.unavailable).toMatchObject([{ service: "vector-store", reason: "too late" }]);
  });

  test("leaves out what a failing service owns, and says why in one line", async () => {
    const stats = await clientOver({
      vectorStore: () => Promise.reject(new KindredError("unavailable", "connection refused\nsecond line")),
    }).getDatabaseStats({});
    expect(stats.totalImages).toBeUndefined();
    expect(stats.totalEmbeddings).toBeUndefined();
    expect(stats).toMatchObject({
      totalGenerations: 7n,
      unavailable: [{ service: "vector-store", reason: "connection refused" }],
    });
  });

  test("with both away it still answers, listing them by name", async () => {
    const stats = await clientOver({
      vectorStore: away,
      generationTracking: away,
      databases: { "vector-store": away, "generation-tracking": away },
    }).getDatabaseStats({});
    expect(stats.unavailable.map((source) => source.service)).toEqual([
      "generation-tracking",
      "vector-store",
    ]);
    expect(stats.totalGenerations).toBeUndefined();
  });

  test("asks all services at once", async () => {
    const started: string[] = [];
    const both = Promise.withResolvers<void>();
    const start = async (name: string): Promise<void> => {
      if (started.push(name) === 2) both.resolve();
      await both.promise;
    };
    const stats = await clientOver({
      vectorStore: async () => {
        await start("vector-store");
        return { totalImages: 1n, totalEmbeddings: 1n };
      },
      generationTracking: async () => {
        await start("generation-tracking");
        return { totalGenerations: 1n, recentGenerations: 1n, avgGenerationTimeMs: 1 };
      },
    }).getDatabaseStats({});
    expect(stats.unavailable).toEqual([]);
  });

  test("gives services two seconds, and less when the caller has less", async () => {
    const given: number[] = [];
    const client = clientOver({
      vectorStore: ({ timeoutMs }) => {
        given.push(timeoutMs);
        return Promise.resolve({ totalImages: 1n, totalEmbeddings: 1n });
      },
    });
    await client.getDatabaseStats({});
    await client.getDatabaseStats({}, { timeoutMs: 60_000 });
    await client.getDatabaseStats({}, { timeoutMs: 1000 });
    expect(given.slice(0, 2)).toEqual([2000, 2000]);
    expect(given[2]).toBeLessThanOrEqual(800);
    expect(given[2]).toBeGreaterThan(0);
  });
});
