import type { MessageInitShape } from "@bufbuild/protobuf";
import { durationFromMs } from "@bufbuild/protobuf/wkt";
import {
  Metric,
  type SearchRequestSchema,
  type WeightedQuerySchema,
} from "@kindred/contracts/vector-store/v1";
import { Option, type Command } from "commander";
import { durationOption, integerOption, numberOption, repeatable } from "../commands/parse.ts";
import { EXIT } from "../exit-codes.ts";
import { Failure } from "../failure.ts";
import { fieldPathOf, FILTER_HELP, filterOf, type FilterOptions } from "./filter-option.ts";
import { readVectorFile, vectorOption } from "./given-vector.ts";
import type { PackedVector } from "./vector-text.ts";

export const METRICS = {
  cosine: Metric.COSINE,
  l2: Metric.L2,
  "inner-product": Metric.INNER_PRODUCT,
  l1: Metric.L1,
  hamming: Metric.HAMMING,
  jaccard: Metric.JACCARD,
} as const;

export interface SearchOptions extends FilterOptions {
  k: number;
  collection?: string;
  imageId?: number;
  key?: string;
  vector?: PackedVector;
  vectorFile?: string;
  space?: string;
  weight?: number;
  also?: readonly string[];
  alsoKey?: readonly string[];
  unlike?: readonly string[];
  unlikeKey?: readonly string[];
  threshold?: number;
  offset?: number;
  exact?: boolean;
  efSearch?: number;
  probes?: number;
  recallTarget?: number;
  maxStaleness?: number;
  metric?: keyof typeof METRICS;
  modelType?: string;
  embeddingType?: string;
  dataset?: string;
  perEmbedding?: boolean;
  groupBy?: string;
  groupSize?: number;
  /** true without a text: the query's. */
  hybrid?: string | true;
  textWeight?: number;
  /** true without a number. */
  diverse?: number | true;
  candidates?: number;
  fields?: string;
  showVector?: boolean;
}

export const QUERY_HELP = `
What to look for is a text, or --key, --vector, --vector-file or --image-id. More queries are added with --also and --also-key, or
subtracted with --unlike and --unlike-key; behind the last ^ stands how much one counts: --also "rain^0.5". --weight is that of the first.
${FILTER_HELP}`;

/** Everything that a search can be told. */
export function addSearchOptions(command: Command): Command {
  return command
    .option("-k, --k <count>", "how many hits at most, 1 to 1000", integerOption(1, 1_000), 10)
    .option("-c, --collection <name>", "search this collection (default: images)")
    .option(
      "--image-id <id>",
      "like the picture with this id, instead of a text",
      integerOption(1, Number.MAX_SAFE_INTEGER),
    )
    .option("--key <key>", "like the item with this key, instead of a text")
    .option("--vector <numbers>", "near to this vector, e.g. 0.1,0.2,-0.3 (bits: 10110)", vectorOption)
    .option("--vector-file <path>", "near to the vector in this file: .npy with one row, or JSON")
    .option("--space <id>", "embedding space of the vector; refused when the collection's is another")
    .option("--weight <number>", "weight of the first query among several", numberOption(-1e9, 1e9))
    .option("--also <text>", "like this text, too; may be given several times", repeatable)
    .option("--also-key <key>", "like the item with this key, too", repeatable)
    .option("--unlike <text>", "unlike this text", repeatable)
    .option("--unlike-key <key>", "unlike the item with this key", repeatable)
    .option("--where <filter>", "only items that pass this filter; see below")
    .option("--where-json <json>", "the same as JSON")
    .option("--threshold <similarity>", "only hits at least this similar, e.g. 0.5", numberOption(-1e9, 1e9))
    .option("--offset <count>", "leave out so many of the nearest first", integerOption(0, 10_000))
    .addOption(
      new Option("--metric <name>", "distance (default: the collection's own)").choices(Object.keys(METRICS)),
    )
    .option("--exact", "compare every row, even where there is an index")
    .option("--ef-search <count>", "candidates of an HNSW index scan, 1 to 1000", integerOption(1, 1_000))
    .option("--probes <count>", "lists of an IVFFlat index that are scanned", integerOption(1, 32_768))
    .option(
      "--recall-target <share>",
      "share of the true hits that an index scan should find, e.g. 0.99 (default: the collection's)",
      numberOption(0, 1),
    )
    .option(
      "--max-staleness <duration>",
      "how far behind a read replica may be, e.g. 2s; 0s asks the primary",
      durationOption("0s", "24h"),
    )
    .option("--group-by <field>", "at most --group-size hits for each value of this field")
    .option("--group-size <count>", "hits a group, 1 to 100 (default: 1)", integerOption(1, 100))
    .option("--hybrid [text]", "join with a full-text search, for the query's text or another")
    .option(
      "--text-weight <weight>",
      "weight of the full-text list against the vectors' 1",
      numberOption(0, 1e9),
    )
    .option(
      "--diverse [lambda]",
      "hits unlike each other: 0 as unlike as can be, 1 near to the query only (default: 0.5)",
      numberOption(0, 1),
    )
    .option(
      "--candidates <count>",
      "how many are joined or chosen from with --hybrid and --diverse",
      integerOption(1, 10_000),
    )
    .option("--fields <names>", "only these members of the metadata, with commas between them")
    .option("--show-vector", "the vectors of the hits, too")
    .option("--model-type <name>", "images: only embeddings of this model type")
    .option("--embedding-type <name>", "images: only embeddings of this type, e.g. text")
    .option("--dataset <name>", "images: only pictures of this data set")
    .option("--per-embedding", "images: one row an embedding, not one a picture");
}

export type SearchRequestInit = MessageInitShape<typeof SearchRequestSchema>;
type WeightedInit = MessageInitShape<typeof WeightedQuerySchema>;

/** With the file that --vector-file names read. */
export async function readSearchRequest(
  query: string | undefined,
  options: SearchOptions,
): Promise<SearchRequestInit> {
  const { vectorFile, ...others } = options;
  if (vectorFile === undefined) return toRequest(query, others);
  if (others.vector !== undefined) throw onlyOne();
  return toRequest(query, { ...others, vector: await readVectorFile(vectorFile) });
}

/** @throws Failure for options that contradict each other. */
export function toRequest(query: string | undefined, options: SearchOptions): SearchRequestInit {
  const where = filterOf(options);
  const { modelType, embeddingType, dataset, threshold, groupBy, groupSize, metric, collection } = options;
  if (groupSize !== undefined && groupBy === undefined) throw needs("--group-size", "--group-by FIELD");
  if (options.textWeight !== undefined && options.hybrid === undefined)
    throw needs("--text-weight", "--hybrid");
  if (options.candidates !== undefined && options.hybrid === undefined && options.diverse === undefined)
    throw needs("--candidates", "--hybrid or --diverse");
  const ofImages = modelType ?? embeddingType ?? dataset;
  return {
    query: queryOf(query, options),
    k: options.k,
    ...(collection !== undefined && { collection }),
    ...(threshold !== undefined && { threshold }),
    ...(metric !== undefined && { metric: METRICS[metric] }),
    ...(ofImages !== undefined && {
      filter: {
        modelType: modelType ?? "",
        embeddingType: embeddingType ?? "",
        sourceDataset: dataset ?? "",
      },
    }),
    exact: options.exact ?? false,
    efSearch: options.efSearch ?? 0,
    probes: options.probes ?? 0,
    ...(options.recallTarget !== undefined && { recallTarget: options.recallTarget }),
    ...(options.maxStaleness !== undefined && { maxStaleness: durationFromMs(options.maxStaleness) }),
    offset: options.offset ?? 0,
    hitPerEmbedding: options.perEmbedding ?? false,
    ...(where && { where }),
    ...(groupBy !== undefined && {
      groupBy: { field: fieldPathOf("--group-by", groupBy), groupSize: groupSize ?? 0 },
    }),
    ...(options.hybrid !== undefined && { hybrid: hybridOf(options) }),
    ...(options.diverse !== undefined && { diversity: diversityOf(options) }),
    ...((options.fields !== undefined || options.showVector) && { projection: projectionOf(options) }),
  };
}

function projectionOf({ fields, showVector }: SearchOptions) {
  return { vector: showVector ?? false, metadataFields: fields === undefined ? [] : namesOf(fields) };
}

/** "a, b" */
export function namesOf(list: string): string[] {
  return list
    .split(",")
    .map((name) => name.trim())
    .filter((name) => name !== "");
}

function hybridOf({ hybrid, textWeight, candidates = 0 }: SearchOptions) {
  return {
    text: typeof hybrid === "string" ? hybrid : "",
    candidates,
    ...(textWeight !== undefined && { textWeight }),
  };
}

function diversityOf({ diverse, candidates = 0 }: SearchOptions) {
  return { candidates, ...(typeof diverse === "number" && { lambda: diverse }) };
}

type QueryInit = NonNullable<SearchRequestInit["query"]>;

function queryOf(text: string | undefined, options: SearchOptions): QueryInit {
  const first = firstQueryOf(text, options);
  const others = othersOf(options);
  const { weight } = options;
  if (others.length === 0) {
    if (!first) throw onlyOne();
    if (weight !== undefined) throw needs("--weight", "--also or --unlike");
    return first;
  }
  if (first?.case === "imageId") {
    throw new Failure("--image-id cannot be one of several queries.", {
      exitCode: EXIT.usage,
      remedy: "Name one of the picture's embeddings with --key: --json has their ids.",
    });
  }
  const weighted: WeightedInit[] = first ? [{ query: first, ...(weight !== undefined && { weight }) }] : [];
  return { case: "several", value: { queries: [...weighted, ...others] } };
}

type FirstQuery = NonNullable<WeightedInit["query"]> | Extract<QueryInit, { case: "imageId" }>;

function firstQueryOf(text: string | undefined, options: SearchOptions): FirstQuery | undefined {
  const { imageId, key, vector, space } = options;
  const given: FirstQuery[] = [];
  if (text !== undefined) given.push({ case: "text", value: text });
  if (key !== undefined) given.push({ case: "key", value: key });
  if (vector !== undefined)
    given.push({ case: "vector", value: { data: vector.data, spaceId: space ?? "" } });
  if (imageId !== undefined) given.push({ case: "imageId", value: BigInt(imageId) });
  if (given.length > 1) throw onlyOne();
  if (space !== undefined && vector === undefined) throw needs("--space", "--vector or --vector-file");
  return given[0];
}

function othersOf({ also = [], alsoKey = [], unlike = [], unlikeKey = [] }: SearchOptions): WeightedInit[] {
  const weighted = (option: string, kind: "text" | "key", sign: 1 | -1, raw: string): WeightedInit => {
    const { value, weight } = splitWeight(option, raw);
    return { query: { case: kind, value }, weight: sign * weight };
  };
  return [
    ...also.map((raw) => weighted("--also", "text", 1, raw)),
    ...alsoKey.map((raw) => weighted("--also-key", "key", 1, raw)),
    ...unlike.map((raw) => weighted("--unlike", "text", -1, raw)),
    ...unlikeKey.map((raw) => weighted("--unlike-key", "key", -1, raw)),
  ];
}

/** "rain^0.5": the query, and how much it counts. Only a number behind the last ^ is a weight. */
function splitWeight(option: string, raw: string): { value: string; weight: number } {
  const found = /^([^]*)\^(\d+\.?\d*|\.\d+)$/.exec(raw);
  const [value, weight] = found ? [found[1] as string, Number(found[2])] : [raw, 1];
  if (value.trim() === "" || weight === 0)
    throw new Failure(`${option} ${JSON.stringify(raw)} has ${weight === 0 ? "the weight 0" : "no query"}.`, {
      exitCode: EXIT.usage,
      remedy: `e.g. ${option} "rain^0.5"`,
    });
  return { value, weight };
}

function onlyOne(): Failure {
  return new Failure(
    "Search for a text, or with --image-id, --key, --vector or --vector-file: one of them.",
    {
      exitCode: EXIT.usage,
      remedy: 'e.g. kindred search "a cat playing"',
    },
  );
}

function needs(option: string, other: string): Failure {
  return new Failure(`${option} has a meaning together with ${other} only.`, { exitCode: EXIT.usage });
}
