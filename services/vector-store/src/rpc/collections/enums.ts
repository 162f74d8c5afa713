import {
  CollectionKind,
  ElementType as ElementTypeMessage,
  IndexKind,
  Metric as MetricMessage,
} from "@kindred/contracts/vector-store/v1";
import type { Collection, ElementType, IndexPolicy, Metric } from "../../domain/collection.ts";

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
};

export const INDEX_KINDS = inverse(INDEX_KIND_MESSAGES).set(IndexKind.UNSPECIFIED, "auto");

function inverse<K extends string, V>(messages: Record<K, V>): Map<V, K> {
  return new Map(Object.entries(messages).map(([name, message]) => [message as V, name as K]));
}
