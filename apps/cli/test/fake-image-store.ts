import type { ServiceImpl } from "@connectrpc/connect";
import { loadConfig } from "@kindred/config";
import { EmbeddingService } from "@kindred/contracts/embedding/v1";
import {
  CollectionService,
  ImageService,
  Metric,
  SearchMethod,
  SearchService,
  type BatchAddImagesRequest,
  type EmbeddingFields,
} from "@kindred/contracts/vector-store/v1";
import { KindredError } from "@kindred/errors";
import { packVectors, serve, serverSettings, unpackVectors } from "@kindred/rpc";
import { silentLogger } from "@kindred/testing";
import { SPACE, vectorOf } from "./fake-embedding.ts";

interface StoredImage {
  imagePath: string;
  description: string;
  embeddings: Map<string, EmbeddingFields>;
}

export interface FakeImageStore extends AsyncDisposable {
  url: string;
  images: Map<string, StoredImage>;
  /** Of each batch, in the order of arrival, how many images it had. */
  batches: number[];
}

export interface FakeImageStoreOptions {
  /** Comes before each batch is stored; what it throws is the answer. */
  onBatch?: (batch: BatchAddImagesRequest, number: number) => void | Promise<void>;
  /** Of the catalogue; that of no vectors yet unless given. */
  spaceId?: string;
  dimensions?: number;
  /** Instead of an embedding service that makes the vectors of its texts. */
  embedding?: Partial<ServiceImpl<typeof EmbeddingService>>;
}

/** An image catalogue in memory on a real port, for answers that the real one does not give, and for vectors of three numbers. */
export async function fakeImageStore(options: FakeImageStoreOptions = {}): Promise<FakeImageStore> {
  const images = new Map<string, StoredImage>();
  const batches: number[] = [];
  const server = await serve({
    config: loadConfig(serverSettings({ grpcPort: 0, httpPort: 0 }), {}),
    logger: silentLogger(),
    routes: (router) => {
      router.service(CollectionService, {
        getCollection: () => ({
          collection: {
            name: "images",
            dimensions: options.dimensions ?? 3,
            spaceId: options.spaceId ?? "",
          },
        }),
      });
      router.service(EmbeddingService, {
        info: () => ({ space: SPACE, model: "fake" }),
        embed: ({ texts }) => ({
          vectors: packVectors(new Float32Array(texts.flatMap(vectorOf))),
          space: SPACE,
        }),
        ...options.embedding,
      });
      router.service(ImageService, {
        batchAddImages: async (requests) => {
          const counts = {
            batches: 0n,
            imagesAdded: 0n,
            imagesExisting: 0n,
            embeddingsAdded: 0n,
            embeddingsExisting: 0n,
          };
          for await (const batch of requests) {
            await options.onBatch?.(batch, batches.length);
            batches.push(batch.images.length);
            store(images, batch, counts);
          }
          return counts;
        },
        getImage: ({ key }) => {
          const image = images.get(key.case === "imagePath" ? key.value : "");
          if (!image) throw new KindredError("not-found", "there is no such image");
          return { image: { imagePath: image.imagePath, description: image.description } };
        },
      });
      router.service(SearchService, {
        search: ({ query, k = 10, metric }) => {
          if (query.case !== "vector") throw new KindredError("unimplemented", "only vectors here");
          const wanted = unpackVectors(query.value.data, 3);
          const hits = [...images.values()]
            .map((image) => ({ image, similarity: similarityOf(image, wanted, metric) }))
            .toSorted((one, other) => other.similarity - one.similarity)
            .slice(0, k)
            .map(({ image: { imagePath }, similarity }) => ({ image: { imagePath }, similarity }));
          return { hits, plan: { method: SearchMethod.EXACT } };
        },
      });
    },
  });
  return {
    url: `http://127.0.0.1:${server.httpPort}`,
    images,
    batches,
    [Symbol.asyncDispose]: () => server[Symbol.asyncDispose](),
  };
}

function store(
  images: Map<string, StoredImage>,
  batch: BatchAddImagesRequest,
  counts: {
    imagesAdded: bigint;
    imagesExisting: bigint;
    embeddingsAdded: bigint;
    embeddingsExisting: bigint;
  },
): void {
  for (const { image, embeddings } of batch.images) {
    const imagePath = image?.imagePath ?? "";
    const there = images.get(imagePath);
    counts[there ? "imagesExisting" : "imagesAdded"] += 1n;
    const stored = there ?? { imagePath, description: image?.description ?? "", embeddings: new Map() };
    images.set(imagePath, stored);
    for (const embedding of embeddings) {
      counts[stored.embeddings.has(embedding.key) ? "embeddingsExisting" : "embeddingsAdded"] += 1n;
      stored.embeddings.set(embedding.key, embedding);
    }
  }
}

/** Of the image's nearest vector. */
function similarityOf({ embeddings }: StoredImage, wanted: Float32Array, metric: Metric): number {
  const all = Array.from(embeddings.values(), ({ source }) => {
    const vector = source.case === "vector" ? unpackVectors(source.value.data, 3) : new Float32Array(3);
    const product = wanted.reduce((sum, value, i) => sum + value * (vector[i] ?? 0), 0);
    if (metric === Metric.INNER_PRODUCT) return product;
    if (metric === Metric.L2) return -Math.hypot(...wanted.map((value, i) => value - (vector[i] ?? 0)));
    return product / (Math.hypot(...wanted) * Math.hypot(...vector) || 1);
  });
  return Math.max(...all);
}
