import type { MessageInitShape } from "@bufbuild/protobuf";
import type { Duration } from "@bufbuild/protobuf/wkt";
import {
  Metric,
  SearchMethod,
  SearchResponseSchema,
  type SearchHit,
  type SearchRequestSchema,
  type SearchResponse,
} from "@kindred/contracts/vector-store/v1";
import { Option } from "commander";
import { openClients } from "../clients.ts";
import type { Context } from "../context.ts";
import { EXIT } from "../exit-codes.ts";
import { Failure } from "../failure.ts";
import { toPlain } from "../plain.ts";
import type { AddCommand } from "./command.ts";
import { formatMs, plural } from "../terminal/format.ts";
import type { Terminal } from "../terminal/terminal.ts";
import { renderTable } from "../terminal/table.ts";
import { integerOption, numberOption } from "./parse.ts";

const METRICS = {
  cosine: Metric.COSINE,
  l2: Metric.L2,
  "inner-product": Metric.INNER_PRODUCT,
  l1: Metric.L1,
} as const;

export interface SearchOptions {
  k: number;
  threshold?: number;
  imageId?: number;
  exact?: boolean;
  efSearch?: number;
  metric: keyof typeof METRICS;
  modelType?: string;
  embeddingType?: string;
  dataset?: string;
  perEmbedding?: boolean;
}

const EXAMPLES = `
Examples:
  kindred search "a cat playing" -k 5 --threshold 0.5
  kindred search --image-id 12 -k 3               what is like image 12
  kindred search "rain" --json | jq -r '.hits[].image.image_path'`;

export const addSearchCommand: AddCommand = (program, run) => {
  program
    .command("search [query]")
    .description("find pictures by meaning: like a text, or like another picture")
    .option("-k, --k <count>", "how many pictures at most, 1 to 1000", integerOption(1, 1_000), 10)
    .option(
      "--threshold <similarity>",
      "only pictures at least this similar, e.g. 0.5",
      numberOption(-1e9, 1e9),
    )
    .option(
      "--image-id <id>",
      "like the picture with this id, instead of a text",
      integerOption(1, Number.MAX_SAFE_INTEGER),
    )
    .option("--exact", "compare every row, even where there is an index")
    .option("--ef-search <count>", "candidates of an HNSW index scan, 1 to 1000", integerOption(1, 1_000))
    .addOption(new Option("--metric <name>", "distance").choices(Object.keys(METRICS)).default("cosine"))
    .option("--model-type <name>", "only embeddings of this model type")
    .option("--embedding-type <name>", "only embeddings of this type, e.g. text")
    .option("--dataset <name>", "only pictures of this data set")
    .option("--per-embedding", "one row an embedding, not one a picture")
    .addHelpText("after", EXAMPLES)
    .action((query: string | undefined, options: SearchOptions, command) =>
      run(command, (context) => search(context, query, options)),
    );
};

async function search(context: Context, query: string | undefined, options: SearchOptions): Promise<void> {
  const request = toRequest(query, options);
  const startedAt = performance.now();
  const reply = await openClients(context).search.search(request);
  const elapsed = performance.now() - startedAt;
  if (context.json) context.terminal.json(toPlain(SearchResponseSchema, reply));
  else context.terminal.result(renderSearch(context.terminal, reply, elapsed));
}

type SearchRequestInit = MessageInitShape<typeof SearchRequestSchema>;

export function toRequest(query: string | undefined, options: SearchOptions): SearchRequestInit {
  if ((query === undefined) === (options.imageId === undefined)) {
    throw new Failure("Search for a text, or with --image-id for what is like a picture: one of the two.", {
      exitCode: EXIT.usage,
      remedy: 'e.g. kindred search "a cat playing"',
    });
  }
  const { threshold } = options;
  return {
    query:
      options.imageId === undefined
        ? { case: "text", value: query as string }
        : { case: "imageId", value: BigInt(options.imageId) },
    k: options.k,
    ...(threshold !== undefined && { threshold }),
    metric: METRICS[options.metric],
    filter: {
      modelType: options.modelType ?? "",
      embeddingType: options.embeddingType ?? "",
      sourceDataset: options.dataset ?? "",
    },
    exact: options.exact ?? false,
    efSearch: options.efSearch ?? 0,
    hitPerEmbedding: options.perEmbedding ?? false,
  };
}

/** The hits as a table, and in one line how they were found. */
export function renderSearch(terminal: Terminal, reply: SearchResponse, elapsedMs: number): string {
  const { colors } = terminal;
  const table =
    reply.hits.length === 0
      ? ` ${colors.dim("no picture was found")}`
      : renderTable(
          terminal,
          [
            { title: "#", align: "right" },
            { title: "similarity", align: "right" },
            { title: "image_path" },
            { title: "caption", shrinks: true },
          ],
          reply.hits.map((hit, i) => [
            String(i + 1),
            hit.similarity.toFixed(4),
            hit.image?.imagePath ?? "",
            captionOf(hit),
          ]),
        );
  return `${table}\n ${colors.dim(describePlan(reply, elapsedMs))}`;
}

/** The text that was nearest, or else what is known of the picture. */
export function captionOf(hit: SearchHit): string {
  const text = hit.metadata?.["text"];
  return typeof text === "string" ? text : (hit.image?.description ?? "");
}

function describePlan({ hits, plan, timings }: SearchResponse, elapsedMs: number): string {
  const how: Record<number, string> = {
    [SearchMethod.EXACT]: "exact: every row compared",
    [SearchMethod.HNSW]: `HNSW index ${plan?.indexName}, ef_search ${plan?.efSearch}`,
    [SearchMethod.EXACT_FALLBACK]: `exact, because index ${plan?.indexName} gave too few rows under the filter`,
  };
  const parts = [["embed", timings?.embed] as const, ["database", timings?.database] as const].flatMap(
    ([name, time]) => (time ? [`${name} ${formatMs(milliseconds(time))}`] : []),
  );
  return [
    plural(hits.length, "hit"),
    how[plan?.method ?? 0] ?? "",
    `${formatMs(elapsedMs)}${parts.length > 0 ? ` (${parts.join(", ")})` : ""}`,
    ...(plan?.complete === false ? ["there may be more hits than these"] : []),
  ]
    .filter((part) => part !== "")
    .join(" · ");
}

function milliseconds({ seconds, nanos }: Duration): number {
  return Number(seconds) * 1_000 + nanos / 1e6;
}
