import type { MessageInitShape } from "@bufbuild/protobuf";
import {
  ElementType,
  Metric,
  type FilterSchema,
  type IngestRequestSchema,
} from "@kindred/contracts/vector-store/v1";
import { packVectors } from "@kindred/rpc";
import { byVector, once, type BadCall, type Clients } from "./bad-calls.ts";

// There is a collection "things" of 3 dimensions with the items "a" and "b", and one "mine", a registered table.

const vectors = (...values: number[]): Uint8Array => packVectors(Float32Array.from(values));
const nearby = byVector(Float32Array.of(1, 0, 0));

type FilterInit = MessageInitShape<typeof FilterSchema>;
type IngestInit = MessageInitShape<typeof IngestRequestSchema>;

const exists = (...segments: string[]): FilterInit => ({
  condition: { case: "exists", value: { segments } },
});
const and = (...filters: FilterInit[]): FilterInit => ({ condition: { case: "and", value: { filters } } });
/** Of two types. */
const badRange: FilterInit = {
  condition: {
    case: "range",
    value: {
      field: { segments: ["year"] },
      gte: { value: { case: "number", value: 1 } },
      lt: { value: { case: "text", value: "2" } },
    },
  },
};
const deep = (levels: number): FilterInit =>
  levels === 0 ? exists("x") : { condition: { case: "not", value: deep(levels - 1) } };

const ingest = (
  { vectors: client }: Clients,
  ...messages: NonNullable<IngestInit["message"]>[]
): Promise<unknown> =>
  Array.fromAsync(client.ingest(once(...messages.map((message): IngestInit => ({ message })))));

const options = (collection: string) => ({ case: "options" as const, value: { collection } });
const batch = (...values: number[]) => ({
  case: "batch" as const,
  value: { sequence: 7n, items: { keys: ["new"], vectors: vectors(...values) } },
});

/** Of the same kind and field for each of the calls. */
const each = (
  kind: BadCall["kind"],
  field: string | undefined,
  calls: Record<string, BadCall["call"]>,
): BadCall[] =>
  Object.entries(calls).map(([name, call]) => ({ name, call, kind, ...(field !== undefined && { field }) }));

export const BAD_COLLECTION_CALLS: BadCall[] = [
  ...each("not-found", undefined, {
    "GetCollection of an unknown name": (c) => c.collections.getCollection({ name: "nobody" }),
    "DeleteCollection of an unknown name": (c) => c.collections.deleteCollection({ name: "nobody" }),
    "GetCollectionStatistics of an unknown name": (c) =>
      c.collections.getCollectionStatistics({ name: "nobody" }),
    "UpdateCollection of an unknown name": (c) =>
      c.collections.updateCollection({
        collection: { name: "nobody", recallTarget: 0.5 },
        updateMask: { paths: ["recall_target"] },
      }),
    "Upsert into an unknown collection": (c) =>
      c.vectors.upsert({ collection: "nobody", items: { keys: ["a"], vectors: vectors(1, 2, 3) } }),
    "UpdateMetadata in an unknown collection": (c) =>
      c.vectors.updateMetadata({ collection: "nobody", keys: ["a"], documents: ["x"] }),
    "UpdateMetadata of an unknown key": (c) =>
      c.vectors.updateMetadata({ collection: "things", keys: ["a", "z"], documents: ["x", "y"] }),
    "GetItems of an unknown collection": (c) => c.vectors.getItems({ collection: "nobody", keys: ["a"] }),
    "DeleteItems of an unknown collection": (c) =>
      c.vectors.deleteItems({ collection: "nobody", which: { case: "filter", value: and() } }),
    "Scroll through an unknown collection": (c) => c.vectors.scroll({ collection: "nobody" }),
    "Export of an unknown collection": (c) => Array.fromAsync(c.vectors.export({ collection: "nobody" })),
    "Search in an unknown collection": (c) => c.search.search({ collection: "nobody", query: nearby }),
    "Search by an unknown key": (c) =>
      c.search.search({ collection: "things", query: { case: "key", value: "z" } }),
    "Explain of an unknown collection": (c) =>
      c.search.explain({ search: { collection: "nobody", query: nearby } }),
  }),
  ...each("already-exists", undefined, {
    "CreateCollection with a name that is taken": (c) =>
      c.collections.createCollection({ name: "things", dimensions: 3 }),
    "RegisterCollection with a name that is taken": (c) =>
      c.collections.registerCollection({ name: "images", table: { schema: "public", table: "mine" } }),
  }),
  ...each("failed-precondition", undefined, {
    "DeleteCollection of the images": (c) => c.collections.deleteCollection({ name: "images" }),
    "RegisterCollection of a table that is not there": (c) =>
      c.collections.registerCollection({ table: { schema: "public", table: "nothing" } }),
    "RegisterCollection of a table without vectors": (c) =>
      c.collections.registerCollection({ table: { schema: "public", table: "plain" } }),
    "Upsert into the images": (c) =>
      c.vectors.upsert({ collection: "images", items: { keys: ["1"], texts: ["x"] } }),
    "Upsert of metadata into a registered table": (c) =>
      c.vectors.upsert({
        collection: "mine",
        items: { keys: ["1"], vectors: vectors(1, 2, 3), metadata: [{ title: "x" }] },
      }),
    "Upsert of a new row that lacks what a registered table needs": (c) =>
      c.vectors.upsert({
        collection: "mine",
        items: { keys: ["1", "3"], vectors: vectors(9, 9, 9, 1, 2, 3) },
      }),
    "Upsert of texts into a collection of other dimensions": (c) =>
      c.vectors.upsert({ collection: "things", items: { keys: ["new"], texts: ["x"] } }),
  }),
  ...each("invalid-argument", "name", {
    "CreateCollection with a name that is none": (c) =>
      c.collections.createCollection({ name: "Things!", dimensions: 3 }),
    "GetCollection without a name": (c) => c.collections.getCollection({}),
  }),
  ...each("invalid-argument", "dimensions", {
    "CreateCollection of 0 dimensions without a space": (c) =>
      c.collections.createCollection({ name: "new" }),
    "CreateCollection of 16,001 dimensions": (c) =>
      c.collections.createCollection({ name: "new", dimensions: 16_001 }),
  }),
  ...each("invalid-argument", "metric", {
    "CreateCollection of bits with cosine": (c) =>
      c.collections.createCollection({
        name: "new",
        dimensions: 8,
        elementType: ElementType.BIT,
        metric: Metric.COSINE,
      }),
    "Search with a metric for bits": (c) =>
      c.search.search({ collection: "things", query: nearby, metric: Metric.HAMMING }),
  }),
  ...each("invalid-argument", "recall_target", {
    "CreateCollection with a recall target of 2": (c) =>
      c.collections.createCollection({ name: "new", dimensions: 3, recallTarget: 2 }),
  }),
  ...each("invalid-argument", "space_id", {
    "CreateCollection in a space that is none": (c) =>
      c.collections.createCollection({ name: "new", dimensions: 3, spaceId: "mine" }),
  }),
  ...each("invalid-argument", "update_mask.paths[1]", {
    "UpdateCollection of its dimensions": (c) =>
      c.collections.updateCollection({
        collection: { name: "things", recallTarget: 0.5, dimensions: 4 },
        updateMask: { paths: ["recall_target", "dimensions"] },
      }),
  }),
  ...each("invalid-argument", "items.vectors", {
    "Upsert of vectors of 2 dimensions": (c) =>
      c.vectors.upsert({ collection: "things", items: { keys: ["new"], vectors: vectors(1, 2) } }),
  }),
  ...each("invalid-argument", "items.vectors[1]", {
    "Upsert with NaN": (c) =>
      c.vectors.upsert({
        collection: "things",
        items: { keys: ["new", "newer"], vectors: vectors(1, 2, 3, 1, Number.NaN, 3) },
      }),
  }),
  ...each("invalid-argument", "items.keys[2]", {
    "Upsert with a key twice": (c) =>
      c.vectors.upsert({
        collection: "things",
        items: { keys: ["new", "newer", "new"], vectors: vectors(1, 2, 3, 4, 5, 6, 7, 8, 9) },
      }),
  }),
  ...each("invalid-argument", "items.keys[0]", {
    "Upsert of a text as a number's key": (c) =>
      c.vectors.upsert({ collection: "mine", items: { keys: ["one"], vectors: vectors(1, 2, 3) } }),
  }),
  ...each("invalid-argument", "items.metadata", {
    "Upsert with metadata for some": (c) =>
      c.vectors.upsert({
        collection: "things",
        items: { keys: ["new", "newer"], vectors: vectors(1, 2, 3, 4, 5, 6), metadata: [{}] },
      }),
  }),
  ...each("invalid-argument", "which", {
    "DeleteItems without saying which": (c) => c.vectors.deleteItems({ collection: "things" }),
  }),
  ...each("invalid-argument", "filter.range.lt", {
    "DeleteItems in a range of two types": (c) =>
      c.vectors.deleteItems({ collection: "things", which: { case: "filter", value: badRange } }),
    "Scroll in a range of two types": (c) => c.vectors.scroll({ collection: "things", filter: badRange }),
    "Export in a range of two types": (c) =>
      Array.fromAsync(c.vectors.export({ collection: "things", filter: badRange })),
  }),
  ...each("invalid-argument", "where.and.filters[1].range.lt", {
    "Search in a range of two types": (c) =>
      c.search.search({ collection: "things", query: nearby, where: and(exists("x"), badRange) }),
  }),
  ...each("invalid-argument", "where.and.filters[1].condition", {
    "Search with a condition that is none": (c) =>
      c.search.search({ collection: "things", query: nearby, where: and(exists("x"), {}) }),
  }),
  ...each("invalid-argument", `where${".not".repeat(16)}`, {
    "Search with a filter that is too deep": (c) =>
      c.search.search({ collection: "things", query: nearby, where: deep(16) }),
  }),
  ...each("invalid-argument", "filter", {
    "DeleteItems by an unknown column": (c) =>
      c.vectors.deleteItems({
        collection: "mine",
        which: { case: "filter", value: { condition: { case: "not", value: exists("titel") } } },
      }),
    "Scroll by an unknown column": (c) => c.vectors.scroll({ collection: "mine", filter: exists("titel") }),
    "Export by an unknown column": (c) =>
      Array.fromAsync(c.vectors.export({ collection: "mine", filter: exists("titel") })),
  }),
  ...each("invalid-argument", "where", {
    "Search by an unknown column": (c) =>
      c.search.search({ collection: "mine", query: nearby, where: and(exists("title"), exists("titel")) }),
    "Search by an unknown column of the images": (c) =>
      c.search.search({ query: { case: "text", value: "x" }, where: exists("titel") }),
    "Explain with an unknown column": (c) =>
      c.search.explain({ search: { collection: "mine", query: nearby, where: exists("titel") } }),
  }),
  ...each("invalid-argument", "group_by.field", {
    "Search in groups by an unknown column": (c) =>
      c.search.search({
        collection: "mine",
        query: nearby,
        groupBy: { field: { segments: ["titel"] } },
      }),
  }),
  ...each("invalid-argument", "vector.data", {
    "Search with a vector of another length": (c) =>
      c.search.search({ collection: "things", query: byVector(Float32Array.of(1, 0)) }),
  }),
  ...each("invalid-argument", "several.queries[1].weight", {
    "Search with a weight of 0": (c) =>
      c.search.search({
        collection: "things",
        query: {
          case: "several",
          value: {
            queries: [
              { query: { case: "key", value: "a" } },
              { query: { case: "key", value: "b" }, weight: 0 },
            ],
          },
        },
      }),
  }),
  ...each("invalid-argument", "hybrid.text", {
    "hybrid Search without a text": (c) =>
      c.search.search({ collection: "things", query: nearby, hybrid: {} }),
  }),
  ...each("invalid-argument", "search", {
    "Explain of nothing": (c) => c.search.explain({}),
  }),
  ...each("invalid-argument", "searches", {
    "SearchBatch of nothing": (c) => c.search.searchBatch({}),
  }),
  ...each("invalid-argument", "page_token", {
    "Scroll with a token of our own making": (c) =>
      c.vectors.scroll({ collection: "things", pageToken: "page two" }),
  }),
];

/** Over streams in both directions. */
export const BAD_INGESTS: BadCall[] = [
  ...each("not-found", undefined, {
    "Ingest into an unknown collection": (c) => ingest(c, options("nobody"), batch(1, 2, 3)),
  }),
  ...each("failed-precondition", undefined, {
    "Ingest into the images": (c) => ingest(c, options("images"), batch(1, 2, 3)),
  }),
  ...each("invalid-argument", "options", {
    "Ingest without options": (c) => ingest(c, batch(1, 2, 3)),
  }),
  ...each("invalid-argument", "options.collection", {
    "Ingest into nothing": (c) => ingest(c, options(""), batch(1, 2, 3)),
  }),
  ...each("invalid-argument", "batch.items.vectors", {
    "Ingest of vectors of 2 dimensions": (c) => ingest(c, options("things"), batch(1, 2)),
  }),
  ...each("invalid-argument", "batch.items.vectors[0]", {
    "Ingest of infinity": (c) => ingest(c, options("things"), batch(1, 2, Infinity)),
  }),
];
