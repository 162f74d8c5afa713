import { create, type MessageInitShape } from "@bufbuild/protobuf";
import type { ServiceImpl } from "@connectrpc/connect";
import { loadConfig } from "@kindred/config";
import { OperationService as GenerationOperationService } from "@kindred/contracts/generation-tracking/v1";
import {
  CollectionKind,
  CollectionSchema,
  CollectionService,
  ConflictPolicy,
  ElementType,
  IndexService,
  ItemSchema,
  Metric,
  OperationService,
  RecallService,
  SearchService,
  VectorService,
  type Collection,
  type Item,
  type UpsertRequest,
} from "@kindred/contracts/vector-store/v1";
import { KindredError } from "@kindred/errors";
import { serve, serverSettings } from "@kindred/rpc";
import { silentLogger } from "@kindred/testing";

type Methods = Partial<ServiceImpl<typeof CollectionService>> &
  Partial<ServiceImpl<typeof VectorService>> &
  Partial<ServiceImpl<typeof SearchService>> &
  Partial<ServiceImpl<typeof IndexService>> &
  Partial<ServiceImpl<typeof OperationService>> &
  Partial<ServiceImpl<typeof RecallService>>;

export interface FakeVectorStore extends AsyncDisposable {
  url: string;
  /** Every request, in the order of arrival, by the name of its method. */
  requests: { method: string; request: unknown }[];
  /** Of the one collection that it has, by key. */
  items: Map<string, Item>;
  /** What was asked of a method. */
  asked<T = Record<string, unknown>>(method: string): T[];
}

export const COLLECTION = {
  name: "songs",
  kind: CollectionKind.MANAGED,
  dimensions: 3,
  elementType: ElementType.VECTOR,
  metric: Metric.COSINE,
  recallTarget: 0.95,
  textSearchConfig: "english",
  table: {
    schema: "vector_store",
    table: "collection_1_vectors",
    keyColumn: "key",
    vectorColumn: "embedding",
  },
  createdAt: { seconds: 1_750_000_000n },
};

/**
 * A vector store on a real port with one small collection in memory, for answers that the real one does not give: lost ones, refusals
 * when the test wants them. `methods` come before its own; one that returns nothing leaves the answer to these.
 */
export async function fakeVectorStore(
  methods: Methods = {},
  collection: MessageInitShape<typeof CollectionSchema> = COLLECTION,
): Promise<FakeVectorStore> {
  const requests: FakeVectorStore["requests"] = [];
  const items = new Map<string, Item>();
  const own = {
    ...ownCollections(create(CollectionSchema, collection)),
    ...ownVectors(items, collection.dimensions ?? 3),
  };
  const recorded = (names: Record<string, object>): Record<string, unknown> =>
    Object.fromEntries(
      Object.keys(names).flatMap((method) => {
        const given = (methods as Record<string, Handler>)[method];
        const mine = (own as unknown as Record<string, Handler>)[method];
        const handler = given ?? mine;
        if (!handler) return [];
        return [
          [
            method,
            (request: unknown, context: unknown) => {
              requests.push({ method, request });
              return handler(request, context);
            },
          ],
        ];
      }),
    );
  const server = await serve({
    config: loadConfig(serverSettings({ grpcPort: 0, httpPort: 0 }), {}),
    logger: silentLogger(),
    routes: (router) => {
      // What is long work to that service is listed with this one's.
      router.service(GenerationOperationService, { listOperations: () => ({}) });
      for (const service of SERVICES) router.service(service, recorded(service.method) as Methods);
    },
  });
  return {
    url: `http://127.0.0.1:${server.httpPort}`,
    requests,
    items,
    asked: <T>(method: string) =>
      requests.filter((each) => each.method === method).map(({ request }) => request as T),
    [Symbol.asyncDispose]: () => server[Symbol.asyncDispose](),
  };
}

const SERVICES = [
  CollectionService,
  VectorService,
  SearchService,
  IndexService,
  OperationService,
  RecallService,
];

type Handler = (request: unknown, context: unknown) => unknown;

function ownCollections(collection: Collection): Partial<ServiceImpl<typeof CollectionService>> {
  return {
    getCollection: ({ name }) => {
      if (name !== collection.name)
        throw new KindredError("not-found", `there is no collection ${JSON.stringify(name)}`);
      return { collection };
    },
    listCollections: () => ({ collections: [collection] }),
    createCollection: () => ({ collection }),
    registerCollection: () => ({ collection }),
    updateCollection: () => ({ collection }),
    deleteCollection: () => ({ vectorsDeleted: 12n }),
    getCollectionStatistics: () => ({
      rows: 1_200n,
      estimated: true,
      indexedRows: 600n,
      deadTuples: 7n,
      tableSizeBytes: 2n ** 20n,
      indexSizeBytes: 2n ** 19n,
      plan: "hnsw",
      indexes: [
        {
          name: "songs_hnsw",
          method: "hnsw",
          operatorClass: "vector_cosine_ops",
          valid: true,
          sizeBytes: 2n ** 19n,
          parameters: { m: "16" },
        },
      ],
    }),
  };
}

/** Stores a batch whole or not at all, as the contract says. */
export function store(items: Map<string, Item>, request: UpsertRequest, dimensions: number) {
  const batch = request.items;
  const keys = batch?.keys ?? [];
  const there = keys.filter((key) => items.has(key));
  if (request.onConflict === ConflictPolicy.ERROR && there.length > 0)
    throw new KindredError("already-exists", `key ${JSON.stringify(there[0])} is there already`);
  const [skipped, replaced] =
    request.onConflict === ConflictPolicy.SKIP ? [there.length, 0] : [0, there.length];
  for (const [i, key] of keys.entries()) {
    if (skipped > 0 && there.includes(key)) continue;
    const vector = batch?.vectors.subarray(i * dimensions * 4, (i + 1) * dimensions * 4) ?? new Uint8Array();
    items.set(
      key,
      create(ItemSchema, {
        key,
        vector,
        document: batch?.documents[i] || batch?.texts[i] || "",
        metadata: batch?.metadata[i] ?? {},
      }),
    );
  }
  return {
    inserted: BigInt(keys.length - there.length),
    replaced: BigInt(replaced),
    skipped: BigInt(skipped),
    rejected: [],
  };
}

function ownVectors(
  items: Map<string, Item>,
  dimensions: number,
): Partial<ServiceImpl<typeof VectorService>> {
  const sorted = (): Item[] => [...items.values()].toSorted((one, other) => (one.key < other.key ? -1 : 1));
  return {
    upsert: (request) => store(items, request, dimensions),
    updateMetadata: ({ keys }) => ({ updated: BigInt(keys.length) }),
    getItems: ({ keys }) => ({ items: keys.flatMap((key) => items.get(key) ?? []) }),
    deleteItems: ({ which }) => {
      const keys = which.case === "keys" ? which.value.keys : [...items.keys()];
      return { deleted: BigInt(keys.filter((key) => items.delete(key)).length) };
    },
    scroll: ({ pageSize, pageToken }) => {
      const page = sorted().filter(({ key }) => key > pageToken);
      const shown = page.slice(0, pageSize || 100);
      return { items: shown, nextPageToken: page.length > shown.length ? (shown.at(-1)?.key ?? "") : "" };
    },
    export: async function* ({ afterKey, projection }) {
      // Batches of two: several of them also for few items.
      const rest = sorted().filter(({ key }) => key > afterKey);
      for (let from = 0; from < rest.length; from += 2) {
        const some = rest.slice(from, from + 2);
        await Promise.resolve();
        yield {
          items: {
            keys: some.map(({ key }) => key),
            vectors: projection?.vector ? Buffer.concat(some.map(({ vector }) => vector)) : new Uint8Array(),
            metadata: some.map(({ metadata }) => metadata ?? {}),
            documents: some.map(({ document }) => document),
          },
        };
      }
    },
  };
}
