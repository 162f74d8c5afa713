import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { FieldMaskSchema } from "@bufbuild/protobuf/wkt";
import {
  ElementType,
  IndexKind,
  type CreateCollectionRequestSchema,
  type IndexPolicySchema,
  type RegisterCollectionRequestSchema,
  type UpdateCollectionRequestSchema,
} from "@kindred/contracts/vector-store/v1";
import { Option, type Command } from "commander";
import { integerOption, numberOption } from "../commands/parse.ts";
import { EXIT } from "../exit-codes.ts";
import { Failure } from "../failure.ts";
import { METRICS } from "../vectors/search-request.ts";

export const ELEMENT_TYPES = {
  vector: ElementType.VECTOR,
  halfvec: ElementType.HALFVEC,
  bit: ElementType.BIT,
} as const;

export const INDEX_KINDS = {
  auto: IndexKind.AUTO,
  none: IndexKind.NONE,
  hnsw: IndexKind.HNSW,
  ivfflat: IndexKind.IVFFLAT,
} as const;

/** What can be said of every collection. */
export interface PolicyOptions {
  metric?: keyof typeof METRICS;
  space?: string;
  recall?: number;
  index?: keyof typeof INDEX_KINDS;
  m?: number;
  efConstruction?: number;
  lists?: number;
}

export interface CreateOptions extends PolicyOptions {
  dimensions?: number;
  type?: keyof typeof ELEMENT_TYPES;
  textSearch?: string;
}

export interface RegisterOptions extends PolicyOptions {
  name?: string;
  schema?: string;
  key?: string;
  vector?: string;
  document?: string;
  textSearch?: string;
}

export function addPolicyOptions(command: Command): Command {
  return command
    .addOption(
      new Option(
        "--metric <name>",
        "distance of searches that name none (default: cosine; bits: hamming)",
      ).choices(Object.keys(METRICS)),
    )
    .option("--space <id>", "id of the embedding space (default: that of the first vectors that come)")
    .option("--recall <share>", "recall@10 that index scans should reach (default: 0.95)", numberOption(0, 1))
    .addOption(
      new Option("--index <kind>", "vector index that it should have (default: auto)").choices(
        Object.keys(INDEX_KINDS),
      ),
    )
    .option("--m <count>", "HNSW: links a row, 2 to 100", integerOption(2, 100))
    .option(
      "--ef-construction <count>",
      "HNSW: candidates while building, at least 2 m",
      integerOption(4, 1_000),
    )
    .option("--lists <count>", "IVFFlat: lists, 1 to 32768", integerOption(1, 32_768));
}

export function addTextSearchOption(command: Command): Command {
  return command.option(
    "--text-search <config>",
    'how documents are searched: a text search configuration of PostgreSQL, or "none" (default: english)',
  );
}

export function createRequest(
  name: string,
  options: CreateOptions,
): MessageInitShape<typeof CreateCollectionRequestSchema> {
  const { dimensions, type, metric, space } = options;
  if (dimensions === undefined && space === undefined) {
    throw new Failure(
      "Say how long the vectors are with --dimensions, or where they come from with --space.",
      {
        exitCode: EXIT.usage,
        remedy: `e.g. kindred collections create ${name} --dimensions 384`,
      },
    );
  }
  return {
    name,
    dimensions: dimensions ?? 0,
    spaceId: space ?? "",
    ...(type && { elementType: ELEMENT_TYPES[type] }),
    ...(metric && { metric: METRICS[metric] }),
    ...policyOf(options),
    ...textSearchOf(options),
  };
}

export function registerRequest(
  table: string,
  options: RegisterOptions,
): MessageInitShape<typeof RegisterCollectionRequestSchema> {
  const { name = "", schema = "", key = "", vector = "", document = "", metric, space = "" } = options;
  return {
    name,
    table: { schema, table, keyColumn: key, vectorColumn: vector, documentColumn: document },
    spaceId: space,
    ...(metric && { metric: METRICS[metric] }),
    ...policyOf(options),
    ...textSearchOf(options),
  };
}

/** Takes what was named, and nothing else. */
export function updateRequest(
  name: string,
  options: PolicyOptions,
): MessageInitShape<typeof UpdateCollectionRequestSchema> {
  const { metric, space, recall } = options;
  const policy = indexPolicyOf(options);
  const paths = [
    ...(recall === undefined ? [] : ["recall_target"]),
    ...(metric === undefined ? [] : ["metric"]),
    ...(space === undefined ? [] : ["space_id"]),
    ...(options.index === undefined ? [] : ["index_policy.kind"]),
    ...(options.m === undefined ? [] : ["index_policy.m"]),
    ...(options.efConstruction === undefined ? [] : ["index_policy.ef_construction"]),
    ...(options.lists === undefined ? [] : ["index_policy.lists"]),
  ];
  if (paths.length === 0) {
    throw new Failure("Nothing was named that should change.", {
      exitCode: EXIT.usage,
      remedy: `e.g. kindred collections update ${name} --recall 0.98`,
    });
  }
  return {
    collection: {
      name,
      ...(recall !== undefined && { recallTarget: recall }),
      ...(metric && { metric: METRICS[metric] }),
      ...(space !== undefined && { spaceId: space }),
      ...(policy && { indexPolicy: policy }),
    },
    updateMask: create(FieldMaskSchema, { paths }),
  };
}

function policyOf(options: PolicyOptions) {
  const indexPolicy = indexPolicyOf(options);
  return {
    ...(options.recall !== undefined && { recallTarget: options.recall }),
    ...(indexPolicy && { indexPolicy }),
  };
}

function indexPolicyOf({
  index,
  m,
  efConstruction,
  lists,
}: PolicyOptions): MessageInitShape<typeof IndexPolicySchema> | undefined {
  if (index === undefined && m === undefined && efConstruction === undefined && lists === undefined)
    return undefined;
  return {
    ...(index && { kind: INDEX_KINDS[index] }),
    m: m ?? 0,
    efConstruction: efConstruction ?? 0,
    lists: lists ?? 0,
  };
}

function textSearchOf({ textSearch }: { textSearch?: string }) {
  return textSearch === undefined ? {} : { textSearchConfig: textSearch === "none" ? "" : textSearch };
}
