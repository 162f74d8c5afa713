import type { ConfigCondition, GenerationFilter, NumberRange } from "../../domain/generation-filter.ts";
import type { JsonValue } from "../../domain/generation.ts";
import { escapeLike, instantText, type SqlParameters } from "./sql-parameters.ts";

/** Configuration of the column `prompt_words`: every word as it is written, in any language, none left out. */
export const WORDS_CONFIG = "simple";

/** The keys of all objects in model_config, however deep: what the index of paths is made of. Word for word the index's expression. */
export const CONFIG_KEYS = `jsonb_path_query_array(model_config, '$.** ? (@.type() == "object").keyvalue().key')`;

type ListName = "status" | "modelName" | "modelHash" | "sampler";

const LIST_COLUMNS: Readonly<Record<ListName, string>> = {
  status: "status",
  modelName: "model_name",
  modelHash: "model_hash",
  sampler: "sampler",
};

const INTEGER_RANGES = {
  rating: "rating",
  numInferenceSteps: "num_inference_steps",
  generationTimeMs: "generation_time_ms",
  width: "width",
  height: "height",
} as const;

const FLOAT_RANGES = { guidanceScale: "guidance_scale", memoryUsageMb: "memory_usage_mb" } as const;

/** What a row of `generations` has to fulfil. Names of columns are not qualified. */
export interface FilterConditions {
  /** Conditions that all have to hold. */
  conditions: string[];
  /**
   * Ranges of values, and of texts by their beginning, which have to hold too. The column's index tells id and time of their rows without the
   * table, but not in the order of time.
   */
  ranges: string[];
  /**
   * The first list of several values, which `conditions` leave out: one condition for each value, of which one has to hold. An
   * index gives the rows of each in order, but not those of all of them together.
   */
  alternatives: string[];
}

/** Most values of a list whose rows are merged; longer lists are compared row by row. */
const MAX_ALTERNATIVES = 20;

/** @param filters all of them have to hold */
export function filterConditions(
  filters: readonly GenerationFilter[],
  parameters: SqlParameters,
): FilterConditions {
  const found: FilterConditions = { conditions: [], ranges: [], alternatives: [] };
  for (const filter of filters) addConditions(filter, parameters, found);
  return found;
}

/** The conditions of a filter as one that stands behind WHERE; "true" for an empty filter. */
export function filterCondition(filter: GenerationFilter, parameters: SqlParameters): string {
  const { conditions, ranges, alternatives } = filterConditions([filter], parameters);
  const all = [...conditions, ...ranges];
  if (alternatives.length > 0) all.push(`(${alternatives.join(" OR ")})`);
  return all.length === 0 ? "true" : all.join(" AND ");
}

function addConditions(filter: GenerationFilter, parameters: SqlParameters, found: FilterConditions): void {
  const { conditions, ranges } = found;
  const equal = (column: string, value: bigint | string | undefined): void => {
    if (value !== undefined) conditions.push(`${column} = ${parameters.add(String(value))}`);
  };
  const contains = (column: string, text: string | undefined): void => {
    if (text !== undefined)
      conditions.push(`${column} ILIKE ${parameters.add(`%${escapeLike(text)}%`)} ESCAPE '\\'`);
  };
  for (const [name, column] of Object.entries(LIST_COLUMNS) as [ListName, string][])
    addList(column, filter[name] ?? [], parameters, found);
  contains("prompt", filter.promptContains);
  contains("negative_prompt", filter.negativePromptContains);
  contains("error_message", filter.errorContains);
  if (filter.promptWords !== undefined)
    conditions.push(
      `prompt_words @@ websearch_to_tsquery('${WORDS_CONFIG}', ${parameters.add(filter.promptWords)})`,
    );
  if (filter.createdAfterMicros !== undefined)
    conditions.push(`created_at >= ${parameters.add(instantText(filter.createdAfterMicros))}::timestamptz`);
  if (filter.createdBeforeMicros !== undefined)
    conditions.push(`created_at < ${parameters.add(instantText(filter.createdBeforeMicros))}::timestamptz`);
  equal("session_id", filter.sessionId);
  equal("batch_id", filter.batchId);
  equal("parent_id", filter.parentId);
  equal("seed", filter.seed);
  if (filter.labels !== undefined && filter.labels.length > 0)
    conditions.push(`labels @> ${parameters.add(filter.labels)}::text[]`);
  for (const [name, column] of Object.entries(INTEGER_RANGES))
    addRange(integerRange(column, filter[name as keyof typeof INTEGER_RANGES], parameters), found);
  for (const [name, column] of Object.entries(FLOAT_RANGES))
    addRange(floatRange(column, filter[name as keyof typeof FLOAT_RANGES], parameters), found);
  for (const condition of filter.modelConfig ?? []) conditions.push(configCondition(condition, parameters));
  if (filter.outputPathPrefix !== undefined)
    ranges.push(
      // A prefix is a range of the index whose order is that of the bytes, whatever the database's collation is.
      `output_path LIKE ${parameters.add(`${escapeLike(filter.outputPathPrefix)}%`)} ESCAPE '\\'`,
    );
  if (filter.imageId !== undefined)
    conditions.push(
      `EXISTS (SELECT 1 FROM generation_examples AS e
                WHERE e.generation_id = generations.id AND e.image_id = ${parameters.add(String(filter.imageId))})`,
    );
  if (filter.outputState !== undefined)
    conditions.push(
      `EXISTS (SELECT 1 FROM generation_outputs AS o
                WHERE o.generation_id = generations.id AND o.state = ${parameters.add(filter.outputState)})`,
    );
}

function addList(
  column: string,
  values: readonly string[],
  parameters: SqlParameters,
  found: FilterConditions,
): void {
  const distinct = [...new Set(values)];
  if (distinct.length === 0) return;
  if (distinct.length === 1) found.conditions.push(`${column} = ${parameters.add(distinct[0])}`);
  else if (found.alternatives.length === 0 && distinct.length <= MAX_ALTERNATIVES)
    found.alternatives = distinct.map((value) => `${column} = ${parameters.add(value)}`);
  else found.conditions.push(`${column} = ANY (${parameters.add(distinct)}::text[])`);
}

/** One condition is of one value, whose rows an index has in the order of lists. */
function addRange(range: readonly string[], { conditions, ranges }: FilterConditions): void {
  (range.length === 1 ? conditions : ranges).push(...range);
}

const MIN_INTEGER = -(2 ** 31);
const MAX_INTEGER = 2 ** 31 - 1;

/** Bounds are whole numbers here, for an index of integers knows no others. */
function integerRange(column: string, range: NumberRange | undefined, parameters: SqlParameters): string[] {
  if (!range) return [];
  const min = range.min === undefined ? undefined : Math.ceil(range.min);
  const max = range.max === undefined ? undefined : Math.floor(range.max);
  if ((min !== undefined && min > MAX_INTEGER) || (max !== undefined && max < MIN_INTEGER)) return ["false"];
  // The rows of one value are in the index in the order of lists; those of several are not.
  if (min !== undefined && min === max) return [`${column} = ${parameters.add(min)}::integer`];
  return [
    ...(min === undefined || min <= MIN_INTEGER ? [] : [`${column} >= ${parameters.add(min)}::integer`]),
    ...(max === undefined || max >= MAX_INTEGER ? [] : [`${column} <= ${parameters.add(max)}::integer`]),
    `${column} IS NOT NULL`,
  ];
}

function floatRange(column: string, range: NumberRange | undefined, parameters: SqlParameters): string[] {
  if (!range) return [];
  if (range.min !== undefined && range.min === range.max)
    return [`${column} = ${parameters.add(range.min)}::float8`];
  return [
    ...(range.min === undefined ? [] : [`${column} >= ${parameters.add(range.min)}::float8`]),
    ...(range.max === undefined ? [] : [`${column} <= ${parameters.add(range.max)}::float8`]),
    `${column} IS NOT NULL`,
  ];
}

function configCondition({ path, equals }: ConfigCondition, parameters: SqlParameters): string {
  if (equals === undefined) {
    // Strict, so that a path goes through objects only. Names of a path are quoted as JSON's texts are.
    const jsonpath = `strict $${path.map((name) => `.${JSON.stringify(name)}`).join("")}`;
    return `(${CONFIG_KEYS} ?& ${parameters.add(path)}::text[] AND model_config @? ${parameters.add(jsonpath)}::jsonpath)`;
  }
  const nested = (value: JsonValue): string =>
    JSON.stringify(path.reduceRight<JsonValue>((inner, name) => ({ [name]: inner }), value));
  const contained = `model_config @> ${parameters.add(nested(equals))}::jsonb`;
  // To contain a list or an object is less than to be equal to it.
  if (typeof equals === "object" && equals !== null)
    return `(${contained} AND model_config #> ${parameters.add(path)}::text[] = ${parameters.add(JSON.stringify(equals))}::jsonb)`;
  if (typeof equals !== "number" && typeof equals !== "string") return contained;
  return `(${contained} OR model_config @> ${parameters.add(nested([equals]))}::jsonb)`;
}
