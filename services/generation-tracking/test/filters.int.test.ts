import { fromJson, type MessageInitShape } from "@bufbuild/protobuf";
import { ValueSchema } from "@bufbuild/protobuf/wkt";
import { beforeAll, describe, expect, test } from "@jest/globals";
import {
  GenerationStatus,
  OutputState,
  type GenerationFilterSchema,
  type GenerationOrderSchema,
  type GenerationSortKey,
} from "@kindred/contracts/generation-tracking/v1";
import * as fc from "fast-check";
import { useFixture } from "./use-fixture.ts";

/** A row as PostgreSQL is given it; what it lacks is NULL. */
interface Row {
  id: number;
  prompt: string;
  negative_prompt: string | null;
  status: "completed" | "failed" | "cancelled";
  error_message: string | null;
  /** Seconds after the new year. */
  second: number;
  model_name: string | null;
  model_hash: string | null;
  sampler: string | null;
  session_id: string | null;
  batch_id: string | null;
  parent_id: number | null;
  labels: string[];
  rating: number | null;
  seed: number | null;
  num_inference_steps: number | null;
  guidance_scale: number | null;
  generation_time_ms: number | null;
  memory_usage_mb: number | null;
  width: number | null;
  height: number | null;
  model_config: { [key: string]: Json } | null;
  output_path: string | null;
  retrieved_examples: { image_id: string; image_path: string }[] | null;
  /** Of its output, if it has one. */
  state: "unknown" | "kept" | "missing" | "changed";
}

type Json = null | boolean | number | string | Json[] | { [key: string]: Json };
type Filter = MessageInitShape<typeof GenerationFilterSchema>;
type Order = MessageInitShape<typeof GenerationOrderSchema>;

const ROWS = 400;
const NEW_YEAR = "2026-01-01T00:00:00Z";
const WORDS = ["red", "Kite", "over", "100%", "snow_man", "beach", "it's", "RED-hot"];
const CONFIGS: ({ [key: string]: Json } | null)[] = [
  null,
  {},
  { steps: 20, name: "m" },
  { steps: 20.5, scheduler: { name: "ddim", "dotted.name": 'quo"te' } },
  { scheduler: { name: "lcm", karras: true } },
  { scheduler: ["ddim", "lcm"] },
  { loras: ["a", "b"], steps: [20, 30] },
  { loras: [{ name: "a" }], scheduler: null },
  { a: { b: { c: { d: 1 } } }, tags: [] },
];

/** The same rows each time (a linear congruential generator, Numerical Recipes). */
function makeRows(): Row[] {
  let state = 17;
  const below = (n: number): number => {
    state = (Math.imul(1_664_525, state) + 1_013_904_223) >>> 0;
    return Math.floor((state / 2 ** 32) * n);
  };
  const oneOf = <T>(values: readonly T[]): T => values[below(values.length)] as T;
  const maybe = <T>(value: () => T): T | null => (below(4) === 0 ? null : value());
  return Array.from({ length: ROWS }, (_, i): Row => {
    const status = oneOf(["completed", "completed", "failed", "cancelled"] as const);
    return {
      id: i + 1,
      prompt: Array.from({ length: 1 + below(5) }, () => oneOf(WORDS)).join(" "),
      negative_prompt: maybe(() => oneOf(["blurry", "low quality", "BLURRY hands"])),
      status,
      error_message: status === "failed" ? oneOf(["out of memory", "Out of time"]) : null,
      second: below(120),
      // What is not given, model_config's members would fill in.
      model_name: oneOf(["m-1", "m-2", "m-3", "m-4"]),
      model_hash: maybe(() => oneOf(["h1", "h2"])),
      sampler: maybe(() => oneOf(["euler", "ddim", "lms"])),
      session_id: maybe(() => `s${below(9)}`),
      batch_id: maybe(() => `b${below(9)}`),
      parent_id: maybe(() => 1 + below(9)),
      labels: [...new Set(Array.from({ length: below(4) }, () => oneOf(["a", "b", "c"])))],
      rating: maybe(() => 1 + below(5)),
      seed: maybe(() => below(5) - 2),
      num_inference_steps: maybe(() => 10 * below(6)),
      guidance_scale: maybe(() => below(8) / 2),
      generation_time_ms: maybe(() => below(40)),
      memory_usage_mb: maybe(() => below(40) / 8),
      width: maybe(() => 64 * (1 + below(4))),
      height: maybe(() => 64 * (1 + below(4))),
      model_config: oneOf(CONFIGS),
      output_path: maybe(() => oneOf(["/media/a/1.png", "/media/a_b/2.png", "/media/ab/3.png", "x%y"])),
      retrieved_examples: maybe(() =>
        Array.from({ length: below(4) }, () => ({ image_id: String(1 + below(6)), image_path: "p" })),
      ),
      state: oneOf(["unknown", "kept", "missing", "changed"]),
    };
  });
}

const rows = makeRows();
const fixture = useFixture({ clear: false });
beforeAll(async () => {
  const columns = Object.keys(rows[0] as Row).filter((name) => name !== "second" && name !== "state");
  await fixture.db.query(
    `INSERT INTO generations (${columns.join(", ")}, created_at)
     SELECT ${columns.map((name) => `r.${name}`).join(", ")}, '${NEW_YEAR}'::timestamptz + second * INTERVAL '1 second'
       FROM jsonb_to_recordset($1::jsonb) AS s (id bigint, second int)
       JOIN jsonb_populate_recordset(NULL::generations, $1::jsonb) AS r USING (id)`,
    [JSON.stringify(rows)],
  );
  await fixture.db.query("SELECT setval(pg_get_serial_sequence('generations', 'id'), $1)", [ROWS]);
  await fixture.db.query(
    `UPDATE generation_outputs SET state = r.state
       FROM jsonb_to_recordset($1::jsonb) AS r (id bigint, state text) WHERE generation_id = r.id`,
    [JSON.stringify(rows)],
  );
}, 120_000);

const STATUS = { completed: 1, failed: 2, cancelled: 3 } as const;
const STATE = { unknown: 0, kept: 1, missing: 2, changed: 3 } as const;

type Range = { min?: number; max?: number } | undefined;
const within = (value: number | null, range: Range): boolean =>
  range === undefined ||
  (value !== null && value >= (range.min ?? -Infinity) && value <= (range.max ?? Infinity));
const contains = (value: string | null, part: string | undefined): boolean =>
  !part || (value ?? "").toLowerCase().includes(part.toLowerCase());
const among = <T>(value: T | null, list: readonly T[] | undefined): boolean =>
  list === undefined || list.length === 0 || (value !== null && list.includes(value));
const deepEqual = (a: Json, b: Json): boolean => JSON.stringify(a) === JSON.stringify(b);

function memberAt(json: Json, path: readonly string[]): Json | undefined {
  let here: Json | undefined = json;
  for (const name of path) {
    if (typeof here !== "object" || here === null || Array.isArray(here)) return undefined;
    here = Object.hasOwn(here, name) ? here[name] : undefined;
  }
  return here;
}

interface PlainFilter {
  status?: GenerationStatus[];
  promptContains?: string;
  createdAfter?: number;
  createdBefore?: number;
  modelName?: string[];
  modelHash?: string[];
  sampler?: string[];
  sessionId?: string;
  batchId?: string;
  parentId?: number;
  labels?: string[];
  rating?: Range;
  seed?: number;
  numInferenceSteps?: Range;
  guidanceScale?: Range;
  generationTimeMs?: Range;
  memoryUsageMb?: Range;
  width?: Range;
  height?: Range;
  modelConfig?: { path: string[]; equals?: Json };
  outputPathPrefix?: string;
  errorContains?: string;
  imageId?: number;
  negativePromptContains?: string;
  outputState?: OutputState;
}

function configHolds(row: Row, condition: PlainFilter["modelConfig"]): boolean {
  if (!condition) return true;
  const member = row.model_config === null ? undefined : memberAt(row.model_config, condition.path);
  if (member === undefined) return false;
  const { equals } = condition;
  if (equals === undefined) return true;
  const isScalar = typeof equals === "number" || typeof equals === "string";
  return deepEqual(member, equals) || (isScalar && Array.isArray(member) && member.includes(equals));
}

/** The filter as the contract's comments say it. */
function holds(row: Row, f: PlainFilter): boolean {
  return (
    among(STATUS[row.status] as GenerationStatus, f.status) &&
    contains(row.prompt, f.promptContains) &&
    row.second >= (f.createdAfter ?? 0) &&
    row.second < (f.createdBefore ?? Infinity) &&
    among(row.model_name, f.modelName) &&
    among(row.model_hash, f.modelHash) &&
    among(row.sampler, f.sampler) &&
    (f.sessionId === undefined || row.session_id === f.sessionId) &&
    (f.batchId === undefined || row.batch_id === f.batchId) &&
    (f.parentId === undefined || row.parent_id === f.parentId) &&
    (f.labels ?? []).every((label) => row.labels.includes(label)) &&
    within(row.rating, f.rating) &&
    (f.seed === undefined || row.seed === f.seed) &&
    within(row.num_inference_steps, f.numInferenceSteps) &&
    within(row.guidance_scale, f.guidanceScale) &&
    within(row.generation_time_ms, f.generationTimeMs) &&
    within(row.memory_usage_mb, f.memoryUsageMb) &&
    within(row.width, f.width) &&
    within(row.height, f.height) &&
    configHolds(row, f.modelConfig) &&
    (row.output_path ?? "").startsWith(f.outputPathPrefix ?? "") &&
    (f.errorContains === undefined ||
      (row.error_message !== null && contains(row.error_message, f.errorContains))) &&
    (f.imageId === undefined ||
      (row.retrieved_examples ?? []).some((example) => example.image_id === String(f.imageId))) &&
    (f.negativePromptContains === undefined ||
      (row.negative_prompt !== null && contains(row.negative_prompt, f.negativePromptContains))) &&
    (!f.outputState || (row.output_path !== null && STATE[row.state] === f.outputState))
  );
}

const after = (second: number) => ({ seconds: BigInt(Date.parse(NEW_YEAR) / 1_000 + second) });

function toMessage(filter: PlainFilter): Filter {
  const { createdAfter, createdBefore, parentId, seed, imageId, modelConfig, ...same } = filter;
  return {
    ...same,
    ...(createdAfter !== undefined && { createdAfter: after(createdAfter) }),
    ...(createdBefore !== undefined && { createdBefore: after(createdBefore) }),
    ...(parentId !== undefined && { parentId: BigInt(parentId) }),
    ...(seed !== undefined && { seed: BigInt(seed) }),
    ...(imageId !== undefined && { imageId: BigInt(imageId) }),
    ...(modelConfig && {
      modelConfig: [
        {
          path: modelConfig.path,
          ...(modelConfig.equals !== undefined && { equals: fromJson(ValueSchema, modelConfig.equals) }),
        },
      ],
    }),
  } as Filter;
}

const range = (max: number): fc.Arbitrary<Range> =>
  fc.tuple(fc.option(fc.nat({ max: 8 * max })), fc.option(fc.nat({ max: 8 * max }))).map(([a, b]) => {
    const [low, high] = a !== null && b !== null && a > b ? [b, a] : [a, b];
    return { ...(low !== null && { min: low / 8 }), ...(high !== null && { max: high / 8 }) };
  });
const some = (...values: string[]): fc.Arbitrary<string[]> =>
  fc.uniqueArray(fc.constantFrom(...values), { minLength: 1 });

const PATHS: string[][] = [
  ["steps"],
  ["name"],
  ["scheduler"],
  ["scheduler", "name"],
  ["scheduler", "dotted.name"],
  ["loras"],
  ["loras", "name"],
  ["a", "b"],
  ["tags"],
  ["0"],
];
const VALUES: Json[] = [20, 20.5, "ddim", "a", 'quo"te', true, null, [], {}, ["a", "b"], { c: { d: 1 } }];

const CONDITIONS: { [K in keyof PlainFilter]-?: fc.Arbitrary<NonNullable<PlainFilter[K]>> } = {
  status: fc.uniqueArray(fc.constantFrom(1, 2, 3), { minLength: 1 }),
  promptContains: fc.constantFrom("red", "KITE o", "%", "_", "0% ", "'", "\\", "zebra"),
  createdAfter: fc.nat({ max: 120 }),
  createdBefore: fc.integer({ min: 121, max: 130 }),
  modelName: some("m-1", "m-2", "m-3", "m-9"),
  modelHash: some("h1", "h2", "h9"),
  sampler: some("euler", "ddim", "none"),
  sessionId: fc.constantFrom("s1", "s8", "s9"),
  batchId: fc.constantFrom("b1", "b8", "b9"),
  parentId: fc.integer({ min: 1, max: 10 }),
  labels: some("a", "b", "c"),
  rating: range(5) as fc.Arbitrary<object>,
  seed: fc.integer({ min: -3, max: 3 }),
  numInferenceSteps: range(50) as fc.Arbitrary<object>,
  guidanceScale: range(4) as fc.Arbitrary<object>,
  generationTimeMs: range(40) as fc.Arbitrary<object>,
  memoryUsageMb: range(5) as fc.Arbitrary<object>,
  width: range(256) as fc.Arbitrary<object>,
  height: range(256) as fc.Arbitrary<object>,
  modelConfig: fc.record(
    { path: fc.constantFrom(...PATHS), equals: fc.constantFrom(...VALUES) },
    { requiredKeys: ["path"] },
  ),
  outputPathPrefix: fc.constantFrom("/media/a", "/media/a_", "x%", "/nowhere"),
  errorContains: fc.constantFrom("OUT OF", "memory", "%"),
  imageId: fc.integer({ min: 1, max: 7 }),
  negativePromptContains: fc.constantFrom("blurry", "low", "_"),
  outputState: fc.constantFrom(OutputState.KEPT, OutputState.MISSING, OutputState.CHANGED),
};

type Key = keyof PlainFilter;
const filters = (count: number): fc.Arbitrary<PlainFilter> =>
  fc
    .uniqueArray(fc.constantFrom(...(Object.keys(CONDITIONS) as Key[])), {
      minLength: count,
      maxLength: count,
    })
    .chain(
      (keys) =>
        fc.record(Object.fromEntries(keys.map((key) => [key, CONDITIONS[key]]))) as fc.Arbitrary<PlainFilter>,
    );

/** What is sorted by, by the number of the key. */
const SORTED_BY: readonly ((row: Row) => number | null)[] = [
  (row) => row.second,
  (row) => row.second,
  (row) => row.generation_time_ms,
  (row) => row.memory_usage_mb,
  (row) => row.rating,
];

/** Those without a value last; ties by id, newest first. */
function sorted(
  found: readonly Row[],
  { key = 0, ascending = false }: { key?: number; ascending?: boolean },
): number[] {
  const valueOf = SORTED_BY[key] as (row: Row) => number | null;
  return found
    .toSorted((a, b) => {
      const [x, y] = [valueOf(a), valueOf(b)];
      if (x === null || y === null) return Number(x === null) - Number(y === null) || b.id - a.id;
      return (ascending ? x - y : y - x) || b.id - a.id;
    })
    .map(({ id }) => id);
}

async function listIds(filter: Filter, order: Order, pageSize: number): Promise<number[]> {
  const ids: number[] = [];
  let pageToken = "";
  do {
    const page = await fixture.client.listGenerations({ filter, order, pageSize, pageToken });
    ids.push(...page.generations.map(({ id }) => Number(id)));
    pageToken = page.nextPageToken;
  } while (pageToken !== "");
  return ids;
}

describe("lists and counts", () => {
  test.each(Object.keys(CONDITIONS) as Key[])("agree with a plain computation: %s", async (key) => {
    await fc.assert(
      fc.asyncProperty(CONDITIONS[key] as fc.Arbitrary<never>, async (value) => {
        const filter = { [key]: value } as PlainFilter;
        const expected = rows.filter((row) => holds(row, filter));
        expect(await listIds(toMessage(filter), {}, 1_000)).toEqual(sorted(expected, {}));
        const { count } = await fixture.client.countGenerations({ filter: toMessage(filter) });
        expect(count).toBe(BigInt(expected.length));
      }),
      { numRuns: 25 },
    );
  });

  test("agree with a plain computation for every path and value of settings", async () => {
    for (const path of PATHS) {
      for (const equals of [undefined, ...VALUES]) {
        const filter: PlainFilter = { modelConfig: { path, ...(equals !== undefined && { equals }) } };
        const expected = rows.filter((row) => holds(row, filter));
        expect({ path, equals, ids: await listIds(toMessage(filter), {}, 1_000) }).toEqual({
          path,
          equals,
          ids: sorted(expected, {}),
        });
      }
    }
  });

  test("agree with a plain computation in every order, on pages of every size, under several conditions", async () => {
    const cases = fc.tuple(
      fc.integer({ min: 0, max: 3 }).chain(filters),
      fc.integer({ min: 0, max: 4 }),
      fc.boolean(),
      fc.constantFrom(7, 50, 400),
    );
    await fc.assert(
      fc.asyncProperty(cases, async ([filter, key, ascending, pageSize]) => {
        const expected = rows.filter((row) => holds(row, filter));
        expect(
          await listIds(toMessage(filter), { key: key as GenerationSortKey, ascending }, pageSize),
        ).toEqual(sorted(expected, { key, ascending }));
      }),
      { numRuns: 100 },
    );
  });

  test("counts end at the limit, and say so when there are more", async () => {
    const counted = async (limit: bigint) => {
      const { count, limited } = await fixture.client.countGenerations({ limit });
      return [count, limited];
    };
    expect(await counted(10n)).toEqual([10n, true]);
    expect(await counted(BigInt(ROWS))).toEqual([BigInt(ROWS), false]);
    expect(await counted(0n)).toEqual([BigInt(ROWS), false]);
  });
});

test("words are looked for as in web searches", async () => {
  const words = (row: Row): string[] => row.prompt.toLowerCase().split(/[^a-z0-9_]+/);
  const found = async (promptWords: string): Promise<number[]> => await listIds({ promptWords }, {}, 1_000);
  const expected = (condition: (row: Row) => boolean): number[] => sorted(rows.filter(condition), {});
  expect(await found("kite")).toEqual(expected((row) => words(row).includes("kite")));
  expect(await found("RED -kite")).toEqual(
    expected((row) => words(row).includes("red") && !words(row).includes("kite")),
  );
  expect(await found("kite or beach")).toEqual(
    expected((row) => words(row).includes("kite") || words(row).includes("beach")),
  );
  expect(await found('"kite over"')).toEqual(expected((row) => /kite over( |$)/i.test(row.prompt)));
  expect(await found("zebra")).toEqual([]);
});

test("conditions of a list and of its filter hold together", async () => {
  const page = await fixture.client.listGenerations({
    status: GenerationStatus.FAILED,
    promptContains: "red",
    filter: { status: [GenerationStatus.FAILED, GenerationStatus.COMPLETED], promptContains: "kite" },
    pageSize: 1_000,
  });
  expect(page.generations.map(({ id }) => Number(id))).toEqual(
    sorted(
      rows.filter(
        (row) => row.status === "failed" && contains(row.prompt, "red") && contains(row.prompt, "kite"),
      ),
      {},
    ),
  );
});

test("a prompt of a million words can be recorded, and is found by its first ones", async () => {
  const prompt = `unheard-of ${Array.from({ length: 120_000 }, (_, i) => i.toString(36)).join(" ")}`;
  const { generation } = await fixture.client.recordGeneration({ generation: { prompt } });
  try {
    const { generations } = await fixture.client.listGenerations({ filter: { promptWords: '"unheard of"' } });
    expect(generations.map(({ id }) => id)).toEqual([generation?.id]);
  } finally {
    await fixture.client.deleteGenerations({ ids: [generation?.id ?? 0n] });
  }
});
