export type { FaissBatch, FaissIndex } from "./index-file/faiss-index.ts";
export { openFaissIndex } from "./index-file/index-file.ts";
