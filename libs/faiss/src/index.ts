export type { FaissBatch, FaissIndex } from "./index-file/faiss-index.ts";
export { openFaissIndex } from "./index-file/index-file.ts";
export {
  INDEX_FILE,
  listFaissDatasets,
  METADATA_FILE,
  openFaissDataset,
  type DatasetFolder,
  type DatasetRow,
  type FaissDataset,
} from "./dataset.ts";
export { BadRecord, imageRecordOf, type ImageRecord, type Json } from "./metadata/image-record.ts";
export type { Fields, Metadata, MetadataShape } from "./metadata/metadata.ts";
