import { invalidFields, KindredError } from "@kindred/errors";
import type { Collection, Metric } from "../collection.ts";
import type { CallLimits } from "../ports.ts";
import { listsThatFit, preferredQuantizations, wantedParameters } from "./build-parameters.ts";
import { bytesText, reasonsOf } from "./explain-forecast.ts";
import {
  calibrationOf,
  forecastIndex,
  grantedBytes,
  type Calibration,
  type ForecastFacts,
} from "./forecast.ts";
import type { IndexFacts } from "./index-facts.ts";
import { METHODS, optionProblems, type IndexOption } from "./index-limits.ts";
import type { IndexForecast, IndexPlan, IndexPlanner } from "./index-ports.ts";
import { buildMemoryBytes, shapeOf } from "./index-size.ts";
import {
  ANY_INDEX,
  indexedType,
  type IndexMethod,
  type IndexSpec,
  type IndexWish,
  type Quantization,
} from "./index-spec.ts";

export interface PlannerDeps {
  facts: IndexFacts;
  /** Below so many rows there is no index unless somebody asks, where a collection's policy does not say. */
  minRows: number;
  /** Most memory that a build may take in the database, in bytes. */
  memoryBytes: number;
  /** Cores that the database is taken to have. */
  cores: number;
}

/** From so many rows on a measured sample is worth its second: the build takes many times as long. */
const SAMPLED_FROM_ROWS = 20_000;
const SAMPLE_ROWS = 3000;
/** A graph that is so much larger than the memory for it takes days, where IVFFlat takes an hour (pgvector#300). */
const FAR_TOO_LARGE = 4;

/** What one plan is made from. */
interface Planning {
  deps: PlannerDeps;
  collection: Collection;
  wish: IndexWish;
  metric: Metric;
  recallTarget: number;
  calibrate: boolean;
  facts: ForecastFacts;
  limits: CallLimits;
}

/**
 * Plans by the wish, what it leaves open by the collection's policy, and what that leaves open by size, dimensions and recall target. Where
 * nobody asks for an index and there should be none, the alternatives begin with the one that would be built all the same.
 */
export function indexPlanner(deps: PlannerDeps): IndexPlanner {
  return {
    async plan(collection, wish, { recallTarget, rows: wantedRows, calibrate }, limits) {
      if (collection.layout.vector.storage === "json") throw notIndexable(collection);
      const table = await deps.facts.table(collection, limits);
      const server = await deps.facts.server(limits);
      const rows = wantedRows ?? table.rows;
      const heapBytes = table.rows > 0 ? (table.heapBytes / table.rows) * rows : table.heapBytes;
      const { memoryBytes, cores } = deps;
      const facts = { table: { ...table, rows, heapBytes }, server, memoryBytes, cores };
      const metric = wish.metric ?? collection.metric;
      return await plan({ deps, collection, wish, metric, recallTarget, calibrate, facts, limits });
    },
  };
}

function notIndexable({ name }: Collection): KindredError {
  return new KindredError(
    "failed-precondition",
    `the vectors of ${name} are kept as JSON, which no vector index can be of: install pgvector and run upgrade-vectors`,
  );
}

async function plan(planning: Planning): Promise<IndexPlan> {
  const { spec, reasons } = chooseSpec(planning);
  const chosen = await forecastOf(planning, spec, { sample: true });
  const alternatives: IndexForecast[] = [];
  for (const other of otherSpecs(planning, spec))
    alternatives.push(await forecastOf(planning, other, { sample: false }));
  const { rows } = planning.facts.table;
  const none = whyNone(planning);
  return none === undefined
    ? { chosen, alternatives, reasons, rows }
    : { chosen: undefined, alternatives: [chosen, ...alternatives], reasons: [none, ...reasons], rows };
}

/** Why there should be no index; undefined where there should be one, or somebody asks. */
function whyNone({ deps, collection, wish, facts }: Planning): string | undefined {
  if (Object.values(wish).some((value) => value !== undefined)) return undefined;
  const { indexPolicy, name } = collection;
  if (indexPolicy.kind === "none")
    return `the policy of ${name} is to have no index: searches compare every row`;
  const least = indexPolicy.minRows ?? deps.minRows;
  const { rows } = facts.table;
  if (rows >= least) return undefined;
  return `${rows} rows are fewer than ${least}, from which there should be an index: comparing every row is exact, and fast enough`;
}

interface Choice {
  spec: IndexSpec;
  reasons: string[];
}

function chooseSpec(planning: Planning): Choice {
  const { collection, wish } = planning;
  const { kind } = collection.indexPolicy;
  const policyMethod = kind === "auto" || kind === "none" ? undefined : kind;
  const method = wish.method ?? policyMethod;
  if (method) {
    const reason = `${method} is ${wish.method ? "asked for" : `the policy of ${collection.name}`}`;
    const { spec, reasons } = specOf(planning, method);
    return { spec, reasons: [reason, ...reasons] };
  }
  // DiskANN only for who asks for it: it is not everywhere, and its recall is for who knows it to judge.
  const hnsw = trySpecOf(planning, "hnsw");
  const ivfflat = trySpecOf(planning, "ivfflat");
  if (!hnsw) return ivfflat ?? specOf(planning, "hnsw");
  const graph = buildMemoryBytes(hnsw.spec, shapeOf(collection, planning.facts.table.rows));
  const granted = grantedBytes(graph, planning.facts);
  if (!ivfflat || graph <= FAR_TOO_LARGE * granted) {
    return {
      spec: hnsw.spec,
      reasons: [
        "HNSW gives the best recall for its time, and needs no rebuilding as rows come in",
        ...hnsw.reasons,
      ],
    };
  }
  const reason =
    `building an HNSW graph takes ${bytesText(graph)} of memory, far more than the ${bytesText(granted)} that a build may have ` +
    "(INDEX_BUILD_MEMORY): IVFFlat is built in a fraction of the time";
  return { spec: ivfflat.spec, reasons: [reason, ...ivfflat.reasons] };
}

/** @throws KindredError invalid-argument where the collection cannot have it */
function specOf(planning: Planning, method: IndexMethod): Choice {
  const { collection, wish, metric } = planning;
  const { indexPolicy } = collection;
  const wished =
    wish.quantization ??
    (wish.method === undefined || wish.method === indexPolicy.kind ? indexPolicy.quantization : undefined);
  if (wished !== undefined) {
    checkOption(planning, { method, quantization: wished, metric });
    const whose = wish.quantization ? "asked for" : `the policy of ${collection.name}`;
    const spec = complete(planning, method, wished);
    return { spec, reasons: [`quantization ${wished} is ${whose}`, ...listReasons(planning, spec)] };
  }
  const quantization = preferredQuantizations(method, collection).find(
    (candidate) => problemsOf(planning, { method, quantization: candidate, metric }).length === 0,
  );
  if (quantization === undefined) {
    checkOption(planning, { method, quantization: "none", metric });
    throw new TypeError(`no quantization of ${method}, though one could be had`);
  }
  const spec = complete(planning, method, quantization);
  return { spec, reasons: [...quantizationReasons(planning, quantization), ...listReasons(planning, spec)] };
}

function trySpecOf(planning: Planning, method: IndexMethod): Choice | undefined {
  try {
    return specOf(planning, method);
  } catch (error) {
    if (error instanceof KindredError && error.kind === "invalid-argument") return undefined;
    throw error;
  }
}

function problemsOf({ collection, facts }: Planning, option: IndexOption): ReturnType<typeof optionProblems> {
  return optionProblems(option, collection, facts.server);
}

function checkOption(planning: Planning, option: IndexOption): void {
  const problems = problemsOf(planning, option);
  if (problems.length > 0)
    throw invalidFields(problems.map(({ field, description }) => ({ field: `spec.${field}`, description })));
}

function quantizationReasons({ collection }: Planning, quantization: Quantization): string[] {
  if (quantization === "halfvec")
    return ["16-bit floats give the recall of 32-bit ones, in half the size and about 60 % of the time"];
  if (quantization === "binary") {
    return [
      `${collection.dimensions} dimensions are more than an index of floats can hold: one bit a number, and candidates are compared again by their whole vectors`,
    ];
  }
  return [];
}

/** Where memory permits fewer lists than the policy or the rule wants. */
function listReasons({ collection, wish, recallTarget, facts }: Planning, spec: IndexSpec): string[] {
  const { rows } = facts.table;
  const wanted = wantedParameters(spec.method, wish, collection.indexPolicy, { recallTarget, rows });
  if (spec.method !== "ivfflat" || wanted.method !== "ivfflat" || spec.lists >= wanted.lists) return [];
  return [
    `k-means of ${wanted.lists} lists takes more memory than a build may have (INDEX_BUILD_MEMORY): ${spec.lists} fit`,
  ];
}

function complete(planning: Planning, method: IndexMethod, quantization: Quantization): IndexSpec {
  const { collection, wish, metric, recallTarget, facts } = planning;
  const { rows } = facts.table;
  const spec = {
    ...wantedParameters(method, wish, collection.indexPolicy, { recallTarget, rows }),
    quantization,
    metric,
  };
  if (spec.method !== "ivfflat" || wish.lists !== undefined) return spec;
  const memoryBytes = Math.max(facts.server.maintenanceWorkMem, facts.memoryBytes);
  return { ...spec, lists: listsThatFit(spec, collection, { rows, memoryBytes }) };
}

/** All that the collection could have beside the chosen one, the better ones first. */
function otherSpecs(planning: Planning, chosen: IndexSpec): IndexSpec[] {
  const { collection, metric } = planning;
  return METHODS.flatMap((method) =>
    preferredQuantizations(method, collection)
      .filter((quantization) => method !== chosen.method || quantization !== chosen.quantization)
      .filter((quantization) => problemsOf(planning, { method, quantization, metric }).length === 0)
      .map((quantization) =>
        complete({ ...planning, wish: withoutNumbers(planning.wish) }, method, quantization),
      ),
  );
}

/** Alternatives are what the store would choose. */
function withoutNumbers({ method, quantization, metric }: IndexWish): IndexWish {
  return { ...ANY_INDEX, method, quantization, metric };
}

async function forecastOf(
  planning: Planning,
  spec: IndexSpec,
  options: { sample: boolean },
): Promise<IndexForecast> {
  const { collection, facts } = planning;
  const calibration = await calibrationFor(planning, spec, options);
  const forecast = forecastIndex(collection, spec, facts, calibration);
  return { ...forecast, reasons: reasonsOf(forecast, collection, facts, calibration) };
}

/** By earlier builds of this method and type, or by building a sample; undefined where neither is there. */
async function calibrationFor(
  { deps, collection, calibrate, facts, limits }: Planning,
  spec: IndexSpec,
  { sample }: { sample: boolean },
): Promise<Calibration | undefined> {
  const type = indexedType(collection, spec.quantization);
  const earlier = await deps.facts.earlierBuilds(collection, { method: spec.method, type }, limits);
  const known = calibrationOf(
    earlier,
    facts,
    (count) => `${count} earlier ${count === 1 ? "build" : "builds"}`,
  );
  const worthwhile = known === undefined && facts.server.online && facts.table.rows >= SAMPLED_FROM_ROWS;
  if (!sample || !(calibrate || worthwhile)) return known;
  const build = await deps.facts.sampleBuild(collection, spec, SAMPLE_ROWS, limits);
  return build ? calibrationOf([build], facts, () => `a build of ${build.rows} sampled rows`) : known;
}
