import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { FieldMaskSchema } from "@bufbuild/protobuf/wkt";
import {
  ElementType,
  IndexKind,
  IndexMaintenance,
  IndexQuantization,
  KeyType,
  type CreateCollectionRequestSchema,
  type IndexPolicySchema,
  type NewTableSchema,
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

export const KEY_TYPES = {
  integer: KeyType.INTEGER,
  bigint: KeyType.BIGINT,
  text: KeyType.TEXT,
  uuid: KeyType.UUID,
} as const;

export const INDEX_KINDS = {
  auto: IndexKind.AUTO,
  none: IndexKind.NONE,
  hnsw: IndexKind.HNSW,
  ivfflat: IndexKind.IVFFLAT,
  diskann: IndexKind.DISKANN,
} as const;

export const QUANTIZATIONS = {
  auto: IndexQuantization.UNSPECIFIED,
  none: IndexQuantization.NONE,
  halfvec: IndexQuantization.HALFVEC,
  binary: IndexQuantization.BINARY,
} as const;

export const MAINTENANCES = {
  auto: IndexMaintenance.UNSPECIFIED,
  manual: IndexMaintenance.MANUAL,
  automatic: IndexMaintenance.AUTOMATIC,
} as const;

/** What can be said of every collection. */
export interface PolicyOptions {
  metric?: keyof typeof METRICS;
  space?: string;
  recall?: number;
  index?: keyof typeof INDEX_KINDS;
  quantization?: keyof typeof QUANTIZATIONS;
  maintenance?: keyof typeof MAINTENANCES;
  minRows?: number;
  m?: number;
  efConstruction?: number;
  lists?: number;
  indexName?: string;
}

export interface CreateOptions extends PolicyOptions {
  dimensions?: number;
  type?: keyof typeof ELEMENT_TYPES;
  hashPartitions?: number;
  textSearch?: string;
}

export interface RegisterOptions extends PolicyOptions {
  create?: boolean;
  dimensions?: number;
  type?: keyof typeof ELEMENT_TYPES;
  keyType?: keyof typeof KEY_TYPES;
  name?: string;
  schema?: string;
  key?: string;
  vector?: string;
  document?: string;
  textSearch?: string;
}

export function addPolicyOptions(command: Command): Command {
  return addIndexPolicyOptions(
    command
      .addOption(
        new Option(
          "--metric <name>",
          "distance of searches that name none (default: cosine; bits: hamming)",
        ).choices(Object.keys(METRICS)),
      )
      .option("--space <id>", "id of the embedding space (default: that of the first vectors that come)")
      .option(
        "--recall <share>",
        "recall@10 that index scans should reach (default: 0.95)",
        numberOption(0, 1),
      )
      .addOption(
        new Option("--index <kind>", "vector index that it should have (default: auto)").choices(
          Object.keys(INDEX_KINDS),
        ),
      ),
  );
}

/** What the index of a collection should be like, but for its kind. */
export function addIndexPolicyOptions(command: Command): Command {
  return addIndexParameterOptions(
    command
      .addOption(
        new Option(
          "--quantization <how>",
          "what the index holds of a vector: none (all of it), halfvec (16-bit floats), binary (one bit a number)",
        ).choices(Object.keys(QUANTIZATIONS)),
      )
      .addOption(
        new Option(
          "--maintenance <who>",
          "who builds, tunes and rebuilds: automatic (the store), manual (you)",
        ).choices(Object.keys(MAINTENANCES)),
      )
      .option(
        "--min-rows <count>",
        "no index by itself below so many rows (0: as the service is configured)",
        integerOption(0, Number.MAX_SAFE_INTEGER),
      )
      .option("--index-name <name>", 'what it is called in PostgreSQL ("": by the store\'s rule)'),
  );
}

/** How a table is made that is not there yet. */
export function addNewTableOptions(command: Command): Command {
  return command
    .option("--create", "make the table where there is none: its key, its vectors and created_at")
    .option("-d, --dimensions <count>", "with --create: length of every vector", integerOption(1, 64_000))
    .addOption(
      new Option("--type <type>", "with --create: what the numbers are stored as (default: vector)").choices(
        Object.keys(ELEMENT_TYPES),
      ),
    )
    .addOption(
      new Option("--key-type <type>", "with --create: type of the key (default: integer)").choices(
        Object.keys(KEY_TYPES),
      ),
    );
}

export function addIndexParameterOptions(command: Command): Command {
  return command
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
  const { dimensions, type, metric, space, hashPartitions } = options;
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
    ...(hashPartitions !== undefined && { hashPartitions }),
    ...(metric && { metric: METRICS[metric] }),
    ...policyOf(options),
    ...textSearchOf(options),
  };
}

export function registerRequest(
  table: string,
  options: RegisterOptions,
): MessageInitShape<typeof RegisterCollectionRequestSchema> {
  const { name = "", schema = "", document = "", metric, space = "" } = options;
  const createTable = newTableOf(table, options);
  const { key = createTable ? "id" : "", vector = createTable ? "embedding" : "" } = options;
  return {
    name,
    table: { schema, table, keyColumn: key, vectorColumn: vector, documentColumn: document },
    ...(createTable && { createTable }),
    spaceId: space,
    ...(metric && { metric: METRICS[metric] }),
    ...policyOf(options),
    ...textSearchOf(options),
  };
}

/** Undefined for a table that has to be there. */
function newTableOf(
  table: string,
  { create: wanted, dimensions, type, keyType }: RegisterOptions,
): MessageInitShape<typeof NewTableSchema> | undefined {
  const remedy = `e.g. kindred collections register ${table} --create --dimensions 384`;
  if (!wanted) {
    const given = Object.entries({ dimensions, type, "key-type": keyType }).find(
      ([, value]) => value !== undefined,
    );
    if (!given) return undefined;
    throw new Failure(`--${given[0]} is of a table that is made: say --create too.`, {
      exitCode: EXIT.usage,
      remedy,
    });
  }
  if (dimensions === undefined)
    throw new Failure("Say how long the vectors are with --dimensions.", { exitCode: EXIT.usage, remedy });
  return {
    dimensions,
    ...(type && { elementType: ELEMENT_TYPES[type] }),
    ...(keyType && { keyType: KEY_TYPES[keyType] }),
  };
}

/** Takes what was named, and nothing else. */
export function updateRequest(
  name: string,
  options: PolicyOptions,
): MessageInitShape<typeof UpdateCollectionRequestSchema> {
  const { metric, space, recall } = options;
  const policy = indexPolicyOf(options);
  const members: readonly (readonly [keyof PolicyOptions, string])[] = [
    ["index", "kind"],
    ["quantization", "quantization"],
    ["maintenance", "maintenance"],
    ["minRows", "min_rows"],
    ["m", "m"],
    ["efConstruction", "ef_construction"],
    ["lists", "lists"],
    ["indexName", "index_name"],
  ];
  const paths = [
    ...(recall === undefined ? [] : ["recall_target"]),
    ...(metric === undefined ? [] : ["metric"]),
    ...(space === undefined ? [] : ["space_id"]),
    ...members.flatMap(([option, member]) =>
      options[option] === undefined ? [] : [`index_policy.${member}`],
    ),
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

function indexPolicyOf(options: PolicyOptions): MessageInitShape<typeof IndexPolicySchema> | undefined {
  const { index, quantization, maintenance, minRows, m, efConstruction, lists, indexName } = options;
  const given = [index, quantization, maintenance, minRows, m, efConstruction, lists, indexName];
  if (given.every((value) => value === undefined)) return undefined;
  return {
    ...(index && { kind: INDEX_KINDS[index] }),
    ...(quantization && { quantization: QUANTIZATIONS[quantization] }),
    ...(maintenance && { maintenance: MAINTENANCES[maintenance] }),
    minRows: BigInt(minRows ?? 0),
    m: m ?? 0,
    efConstruction: efConstruction ?? 0,
    lists: lists ?? 0,
    indexName: indexName ?? "",
  };
}

function textSearchOf({ textSearch }: { textSearch?: string }) {
  return textSearch === undefined ? {} : { textSearchConfig: textSearch === "none" ? "" : textSearch };
}

/** The name of an option's value; empty for none that is known. */
export function nameOf(names: Readonly<Record<string, number>>, value: number): string {
  return Object.entries(names).find(([, known]) => known === value)?.[0] ?? "";
}
