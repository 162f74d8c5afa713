export { openEmbeddingCacheReader } from "./reader.ts";
export { openEmbeddingCacheWriter, type EmbeddingCacheWriterOptions } from "./writer.ts";
export { loadEmbeddings, maxCachedId, type LoadedEmbeddings } from "./load.ts";
export { repairEmbeddingCache, type CacheRepair } from "./repair.ts";
export type {
  CachedBlock,
  CachedIds,
  CachePosition,
  CacheShape,
  EmbeddingCacheReader,
  EmbeddingCacheWriter,
  IdRun,
} from "./types.ts";
