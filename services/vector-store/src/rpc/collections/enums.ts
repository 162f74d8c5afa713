import {
  CollectionKind,
  ElementType as ElementTypeMessage,
  IndexKind,
  IndexMaintenance,
  IndexQuantization,
  KeyType as KeyTypeMessage,
  Metric as MetricMessage,
} from "@kindred/contracts/vector-store/v1";
import type { Collection, ElementType, IndexPolicy, Metric } from "../../domain/collection.ts";
import type { Quantization } from "../../domain/indexes/index-spec.ts";
import type { KeyType } from "../../domain/layout.ts";

export const KIND_MESSAGES: Record<Collection["kind"], CollectionKind> = {
  images: CollectionKind.IMAGES,
  managed: CollectionKind.MANAGED,
  registered: CollectionKind.REGISTERED,
};

export const ELEMENT_TYPE_MESSAGES: Record<ElementType, ElementTypeMessage> = {
  vector: ElementTypeMessage.VECTOR,
  halfvec: ElementTypeMessage.HALFVEC,
  bit: ElementTypeMessage.BIT,
};

export const ELEMENT_TYPES = inverse(ELEMENT_TYPE_MESSAGES).set(ElementTypeMessage.UNSPECIFIED, "vector");

/** What a new table's keys can be. */
export const KEY_TYPES = new Map<KeyTypeMessage, KeyType>([
  [KeyTypeMessage.UNSPECIFIED, "integer"],
  [KeyTypeMessage.INTEGER, "integer"],
  [KeyTypeMessage.BIGINT, "bigint"],
  [KeyTypeMessage.TEXT, "text"],
  [KeyTypeMessage.UUID, "uuid"],
]);

export const METRIC_MESSAGES: Record<Metric, MetricMessage> = {
  cosine: MetricMessage.COSINE,
  l2: MetricMessage.L2,
  "inner-product": MetricMessage.INNER_PRODUCT,
  l1: MetricMessage.L1,
  hamming: MetricMessage.HAMMING,
  jaccard: MetricMessage.JACCARD,
};

/** Without the unspecified one, which means something else each time. */
export const METRICS = inverse(METRIC_MESSAGES);

export const INDEX_KIND_MESSAGES: Record<IndexPolicy["kind"], IndexKind> = {
  auto: IndexKind.AUTO,
  none: IndexKind.NONE,
  hnsw: IndexKind.HNSW,
  ivfflat: IndexKind.IVFFLAT,
  diskann: IndexKind.DISKANN,
};

export const INDEX_KINDS = inverse(INDEX_KIND_MESSAGES).set(IndexKind.UNSPECIFIED, "auto");

export const QUANTIZATION_MESSAGES: Record<Quantization, IndexQuantization> = {
  none: IndexQuantization.NONE,
  halfvec: IndexQuantization.HALFVEC,
  binary: IndexQuantization.BINARY,
};

/** Without the unspecified one, which lets the store choose. */
export const QUANTIZATIONS = inverse(QUANTIZATION_MESSAGES);

export const MAINTENANCE_MESSAGES: Record<IndexPolicy["maintenance"], IndexMaintenance> = {
  manual: IndexMaintenance.MANUAL,
  automatic: IndexMaintenance.AUTOMATIC,
};

/** Without the unspecified one, which depends on whose the table is. */
export const MAINTENANCES = inverse(MAINTENANCE_MESSAGES);

function inverse<K extends string, V>(messages: Record<K, V>): Map<V, K> {
  return new Map(Object.entries(messages).map(([name, message]) => [message as V, name as K]));
}
