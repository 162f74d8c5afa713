import { GetDatabaseStatsResponseSchema, type GetDatabaseStatsResponse } from "@kindred/contracts/metrics/v1";
import { GetStatisticsResponseSchema, type GetStatisticsResponse } from "@kindred/contracts/vector-store/v1";
import { openClients } from "../clients.ts";
import type { Context } from "../context.ts";
import { toPlain } from "../plain.ts";
import { renderDatabases } from "../statistics/render-databases.ts";
import type { AddCommand } from "./command.ts";
import { formatBytes, formatCount, formatMs } from "../terminal/format.ts";
import { renderPairs } from "../terminal/table.ts";

export const addStatsCommand: AddCommand = (program, run) => {
  program
    .command("stats")
    .description("how much there is: images, embeddings, generations, sizes, indexes, tables")
    .addHelpText(
      "after",
      [
        "",
        "Examples:",
        "  kindred stats",
        "  kindred stats --tables             # every table, also those that are all but empty",
        "  kindred stats --json | jq .total_images",
        "  kindred stats --json | jq '.databases[] | {service, pool: .usage.pool}'",
      ].join("\n"),
    )
    .option("--tables", "all tables of every service, not only the largest")
    .action((options: StatsOptions, command) => run(command, (context) => stats(context, options)));
};

interface StatsOptions {
  tables?: boolean;
}

async function stats(context: Context, options: StatsOptions): Promise<void> {
  const { terminal } = context;
  const { metrics, indexes } = openClients(context);
  const [overall, catalogue] = await Promise.all([
    metrics.getDatabaseStats({}),
    // The overall figures say already whose part is missing.
    indexes.getStatistics({}).catch(() => undefined),
  ]);
  if (context.json) {
    terminal.json({
      ...toPlain(GetDatabaseStatsResponseSchema, overall),
      ...(catalogue && { catalogue: toPlain(GetStatisticsResponseSchema, catalogue) }),
    });
    return;
  }
  terminal.result(renderPairs(terminal, [...overallPairs(overall), ...cataloguePairs(catalogue)]));
  const databases = renderDatabases(terminal, overall.databases, { all: options.tables ?? false });
  if (databases !== "") terminal.result(`\n${databases}`);
  for (const { service, reason } of overall.unavailable)
    terminal.note(` ${service} did not answer: ${reason}`);
}

function count(value: bigint | undefined): string {
  return value === undefined ? "unknown" : formatCount(value);
}

export function overallPairs(overall: GetDatabaseStatsResponse): [string, string][] {
  const average = overall.avgGenerationTimeMs;
  return [
    ["images", count(overall.totalImages)],
    ["embeddings", count(overall.totalEmbeddings)],
    [
      "generations",
      `${count(overall.totalGenerations)} (${count(overall.recentGenerations)} in the last 24 hours)`,
    ],
    ["average generation", average === undefined ? "no times recorded" : formatMs(average)],
  ];
}

export function cataloguePairs(catalogue: GetStatisticsResponse | undefined): [string, string][] {
  if (!catalogue) return [];
  const indexes = catalogue.indexes.map(
    ({ name, method, valid, sizeBytes }) =>
      `${name} (${method}${valid ? "" : ", not valid"}, ${formatBytes(sizeBytes)})`,
  );
  return [
    ["without embedding", formatCount(catalogue.imagesWithoutEmbeddings)],
    [
      "size",
      `images ${formatBytes(catalogue.imagesSizeBytes)}, embeddings ${formatBytes(catalogue.embeddingsSizeBytes)}`,
    ],
    ["vector index", indexes.length === 0 ? "none: searches compare every row" : indexes.join(", ")],
    ["embedding space", catalogue.spaceId === "" ? "none yet" : catalogue.spaceId],
  ];
}
