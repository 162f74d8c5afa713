import type { Collection, IndexPolicy } from "../collection.ts";
import type { TableName } from "../layout.ts";
import { deadShare, isTuned, LEAST_ROWS, listDrift, staleTuning, wantsRebuildForDead } from "./drift.ts";
import { bytesText } from "./explain-forecast.ts";
import { grantedBytes } from "./forecast.ts";
import {
  canServe,
  isAutomatic,
  servingIndexes,
  type AdviceRule,
  type CollectionState,
  type IndexAdvice,
} from "./index-advice.ts";
import { specOfIndex } from "./index-as-spec.ts";
import { buildMemoryBytes, shapeOf } from "./index-size.ts";
import type { KnownIndex } from "./index-upkeep.ts";

/** What should be done about the indexes of a collection, the most urgent first. */
export function adviseCollection(state: CollectionState): IndexAdvice[] {
  if (state.collection.layout.vector.storage === "json") return withoutPgvector(state);
  return RULES.flatMap((rule) => rule(state)).toSorted(byUrgency);
}

const SEVERITIES: readonly IndexAdvice["severity"][] = ["critical", "warning", "info"];

/** Otherwise as they come. */
export function byUrgency(a: IndexAdvice, b: IndexAdvice): number {
  return SEVERITIES.indexOf(a.severity) - SEVERITIES.indexOf(b.severity);
}

type Rule = (state: CollectionState) => IndexAdvice[];

const RULES: readonly Rule[] = [
  invalidIndexes,
  missingIndex,
  otherMetric,
  recallBelowTarget,
  listDrifts,
  deadTuples,
  neverAnalyzed,
  vectorVersion,
  memory,
  policyMismatch,
  tuning,
  duplicates,
];

function advice(
  { collection }: CollectionState,
  rule: AdviceRule,
  severity: IndexAdvice["severity"],
  about: Partial<Pick<IndexAdvice, "indexName" | "remedy" | "automatic">> & { message: string },
): IndexAdvice {
  return {
    collection: collection.name,
    indexName: undefined,
    remedy: undefined,
    automatic: false,
    rule,
    severity,
    ...about,
  };
}

function withoutPgvector(state: CollectionState): IndexAdvice[] {
  const { table, minRows } = state;
  if (table.rows < minRows) return [];
  return [
    advice(state, "missing-index", "warning", {
      message: `${table.rows} vectors are kept as JSON for want of pgvector, and every search compares all of them in the service: install pgvector, then run upgrade-vectors`,
      remedy: "CREATE EXTENSION vector",
    }),
  ];
}

function invalidIndexes(state: CollectionState): IndexAdvice[] {
  const { collection } = state;
  return state.indexes
    .filter(({ valid, building }) => !valid && !building)
    .map((index) =>
      advice(state, "invalid-index", "critical", {
        indexName: index.name,
        message: `an interrupted build has left ${index.name} behind, ${bytesText(Number(index.sizeBytes))}: it serves no search, and every write pays for it`,
        remedy: `DROP INDEX CONCURRENTLY ${sqlName(collection.layout.vectors.schema, index.name)}`,
        // What the store's own builds leave is removed by it, whatever the policy is.
        automatic: index.owned && state.server.online,
      }),
    );
}

function missingIndex(state: CollectionState): IndexAdvice[] {
  const { collection, table, minRows } = state;
  if (table.rows < minRows || servingIndexes(state).length > 0 || hasOtherMetric(state)) return [];
  if (state.indexes.some(({ building }) => building)) return [];
  const automatic = isAutomatic(state) && collection.indexPolicy.kind !== "none";
  const found = `every search compares all ${table.rows} rows; from ${minRows} on an index pays`;
  if (collection.indexPolicy.kind === "none") {
    return [
      advice(state, "missing-index", "info", {
        message: `${found}, but the policy of the collection is to have none`,
        remedy: create(collection),
      }),
    ];
  }
  const manual = collection.indexPolicy.maintenance === "manual";
  const why = automatic
    ? "the store builds one once writing has paused"
    : manual
      ? "the policy leaves it to you"
      : "this server can serve nobody else while it builds, so the store leaves it to you";
  return [
    advice(state, "missing-index", manual ? "info" : "warning", {
      message: `${found}; ${why}`,
      remedy: create(collection),
      automatic,
    }),
  ];
}

function hasOtherMetric(state: CollectionState): boolean {
  return servingIndexes(state).length === 0 && state.indexes.some(canServe);
}

function otherMetric(state: CollectionState): IndexAdvice[] {
  if (!hasOtherMetric(state)) return [];
  const { collection } = state;
  return state.indexes.filter(canServe).map((index) =>
    advice(state, "index-of-other-metric", "warning", {
      indexName: index.name,
      message: `${index.name} is for ${index.metric} distances, and searches of ${collection.name} use ${collection.metric} unless they say otherwise: they compare every row`,
      remedy: create(collection),
      automatic:
        isAutomatic(state) && collection.indexPolicy.kind !== "none" && state.table.rows >= state.minRows,
    }),
  );
}

function recallBelowTarget(state: CollectionState): IndexAdvice[] {
  const { collection } = state;
  return servingIndexes(state).flatMap((index) => {
    const measured = state.measurements.get(index.name);
    const tunedAt = state.curves.get(index.name)?.[0]?.tunedAt;
    const current = measured && (tunedAt === undefined || measured.measuredAt > tunedAt);
    if (measured && current && measured.upper < collection.recallTarget) {
      return [
        advice(state, "recall-below-target", "warning", {
          indexName: index.name,
          message: `recall@${measured.k} was ${measured.recall.toFixed(4)} (at most ${measured.upper.toFixed(4)}) when last measured, below the target of ${collection.recallTarget}`,
          remedy: tune(collection, index),
          automatic: isAutomatic(state),
        }),
      ];
    }
    const best = bestTuned(state, index);
    if (best === undefined || best >= collection.recallTarget) return [];
    return [
      advice(state, "recall-below-target", "warning", {
        indexName: index.name,
        message: `no effort of ${index.name} reaches the target of ${collection.recallTarget}: recall@10 is at most ${best.toFixed(4)}; an index that holds more of the vectors, or was built with more effort, may`,
        remedy: `kindred index plan ${collection.name}`,
      }),
    ];
  });
}

function bestTuned({ curves }: CollectionState, index: KnownIndex): number | undefined {
  const curve = curves.get(index.name)?.find(({ k, selectivity }) => k === 10 && selectivity === 1);
  return curve && Math.max(...curve.points.map(({ recall }) => recall));
}

function listDrifts(state: CollectionState): IndexAdvice[] {
  return servingIndexes(state).flatMap((index) => {
    const drift = listDrift(state, index);
    if (!drift) return [];
    const { lists, wanted, rowsAtBuild } = drift;
    const since = rowsAtBuild === undefined ? "" : `, ${rowsAtBuild} when it was built`;
    const rebuild =
      lists === wanted
        ? `kindred index rebuild ${state.collection.name} --index ${index.name}`
        : `kindred index create ${state.collection.name} --kind ivfflat --lists ${wanted}`;
    return [
      advice(state, "list-drift", "warning", {
        indexName: index.name,
        message: `${index.name} has ${lists} lists for ${state.table.rows} rows${since}; ${wanted} would be right, with centres where the vectors are now`,
        remedy: rebuild,
        automatic: isAutomatic(state) && index.owned,
      }),
    ];
  });
}

function deadTuples(state: CollectionState): IndexAdvice[] {
  const share = deadShare(state);
  if (share === undefined) return [];
  const { collection, table } = state;
  const found = `${Math.round(100 * share)} % of the rows are dead (${table.deadTuples}): scans read them, and indexes point to them`;
  const vacuum = `VACUUM (ANALYZE) ${tableName(collection.layout.vectors)}`;
  const graph = servingIndexes(state).find((index) => wantsRebuildForDead(share, index));
  if (!graph) return [advice(state, "dead-tuples", "warning", { message: found, remedy: vacuum })];
  return [
    advice(state, "dead-tuples", "warning", {
      indexName: graph.name,
      message: `${found}; VACUUM would repair the graph of ${graph.name} row by row, so build it again first, and then: ${vacuum}`,
      remedy: rebuildOf(collection, graph),
      automatic: isAutomatic(state) && graph.owned,
    }),
  ];
}

function neverAnalyzed(state: CollectionState): IndexAdvice[] {
  const { collection, table } = state;
  if (table.analyzed || table.rows < LEAST_ROWS) return [];
  return [
    advice(state, "never-analyzed", "warning", {
      message: `PostgreSQL has no statistics of about ${table.rows} rows, and guesses how many a filter lets through`,
      remedy: `ANALYZE ${tableName(collection.layout.vectors)}`,
      automatic: isAutomatic(state),
    }),
  ];
}

function vectorVersion(state: CollectionState): IndexAdvice[] {
  const { vectorVersion: installed, soundVectorVersion: sound } = state.server;
  const graph = state.indexes.find(({ method }) => method === "hnsw");
  if (sound === undefined || !graph) return [];
  return [
    advice(state, "pgvector-version", "info", {
      indexName: graph.name,
      message: `pgvector ${installed} has known faults when VACUUM meets an HNSW index: install ${sound} or newer`,
      remedy: "ALTER EXTENSION vector UPDATE",
    }),
  ];
}

function memory(state: CollectionState): IndexAdvice[] {
  const { collection, table, server, limits } = state;
  return servingIndexes(state).flatMap((index) => {
    const spec = specOfIndex(index);
    if (spec.method === "diskann") return [];
    const needed = buildMemoryBytes(spec, shapeOf(collection, table.rows));
    const granted = grantedBytes(needed, { server, memoryBytes: limits.memoryBytes });
    if (granted >= needed) return [];
    const consequence = spec.method === "hnsw" ? "takes many times as long" : "is refused";
    return [
      advice(state, "memory", "warning", {
        indexName: index.name,
        message: `building ${index.name} again takes ${bytesText(needed)} of memory for ${table.rows} rows; with the ${bytesText(granted)} that it may have it ${consequence}: raise INDEX_BUILD_MEMORY`,
        remedy: undefined,
      }),
    ];
  });
}

function policyMismatch(state: CollectionState): IndexAdvice[] {
  const { collection } = state;
  const owned = servingIndexes(state).filter((index) => index.owned);
  const wanted = wantedText(collection.indexPolicy);
  if (
    wanted === undefined ||
    owned.length === 0 ||
    owned.some((index) => fitsPolicy(index, collection.indexPolicy))
  )
    return [];
  return owned.map((index) =>
    advice(state, "policy-mismatch", "info", {
      indexName: index.name,
      message: `${index.name} is ${indexText(index)}; the policy of ${collection.name} wants ${wanted}`,
      remedy: collection.indexPolicy.kind === "none" ? dropOf(collection, index) : create(collection),
    }),
  );
}

/** Undefined where the store may choose everything. */
function wantedText({ kind, m, efConstruction, lists, quantization }: IndexPolicy): string | undefined {
  if (kind === "none") return "none";
  const parts = [
    kind === "auto" ? undefined : kind,
    m === undefined ? undefined : `m ${m}`,
    efConstruction === undefined ? undefined : `ef_construction ${efConstruction}`,
    lists === undefined ? undefined : `${lists} lists`,
    quantization === undefined ? undefined : `quantization ${quantization}`,
  ].filter((part) => part !== undefined);
  return parts.length > 0 ? parts.join(", ") : undefined;
}

function fitsPolicy(index: KnownIndex, policy: IndexPolicy): boolean {
  const is = (name: string, wanted: number | undefined): boolean =>
    wanted === undefined || index.parameters[name] === undefined || Number(index.parameters[name]) === wanted;
  return (
    (policy.kind === "auto" || policy.kind === index.method) &&
    (policy.quantization === undefined || policy.quantization === index.quantization) &&
    is("m", policy.m) &&
    is("ef_construction", policy.efConstruction) &&
    is("lists", policy.lists)
  );
}

const indexText = ({ method, quantization, parameters }: KnownIndex): string =>
  [
    method,
    ...Object.entries(parameters).map(([name, value]) => `${name} ${value}`),
    ...(quantization === "none" ? [] : [`quantization ${quantization}`]),
  ].join(", ");

function tuning(state: CollectionState): IndexAdvice[] {
  const { collection, table } = state;
  if (table.rows < LEAST_ROWS) return [];
  return servingIndexes(state).flatMap((index) => {
    const about = { indexName: index.name, remedy: tune(collection, index), automatic: isAutomatic(state) };
    if (!isTuned(state, index)) {
      const message = `nobody has measured which effort ${index.name} needs for a recall of ${collection.recallTarget}: searches guess it`;
      return [advice(state, "never-tuned", "info", { ...about, message })];
    }
    const stale = staleTuning(state, index);
    if (!stale) return [];
    const message = `${index.name} was tuned at ${stale.rows} rows; there are ${table.rows} now, and recall changes with them`;
    return [advice(state, "stale-tuning", "info", { ...about, message })];
  });
}

/** Two that serve the same searches: every write pays for both. */
function duplicates(state: CollectionState): IndexAdvice[] {
  const { collection } = state;
  const ranked = servingIndexes(state).toSorted((a, b) => effortOf(b) - effortOf(a));
  return ranked.flatMap((index, i) => {
    const better = ranked
      .slice(0, i)
      .find((other) => other.method === index.method && other.quantization === index.quantization);
    if (!better) return [];
    return [
      advice(state, "unused-duplicate", "info", {
        indexName: index.name,
        message: `${better.name} serves the same searches; ${index.name} takes ${bytesText(Number(index.sizeBytes))} and time of every write`,
        remedy: index.owned
          ? dropOf(collection, index)
          : `DROP INDEX CONCURRENTLY ${sqlName(collection.layout.vectors.schema, index.name)}`,
      }),
    ];
  });
}

const effortOf = ({ parameters }: KnownIndex): number =>
  Number(parameters["ef_construction"] ?? 0) * 1000 + Number(parameters["m"] ?? parameters["lists"] ?? 0);

const create = ({ name }: Collection): string => `kindred index create ${name}`;
const tune = ({ name }: Collection, index: KnownIndex): string =>
  `kindred recall tune ${name} --index ${index.name}`;
const rebuildOf = ({ name }: Collection, index: KnownIndex): string =>
  `kindred index rebuild ${name} --index ${index.name}`;
const dropOf = ({ name }: Collection, index: KnownIndex): string =>
  `kindred index drop ${name} ${index.name}`;

const tableName = ({ schema, name }: TableName): string => sqlName(schema, name);
/** Quoted as PostgreSQL wants it, wherever that is needed. */
const sqlName = (...parts: string[]): string =>
  parts.map((part) => (/^[a-z_][a-z0-9_]*$/.test(part) ? part : `"${part.replaceAll('"', '""')}"`)).join(".");
