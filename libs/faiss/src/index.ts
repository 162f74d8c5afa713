export { openFaissIndex, type FaissBatch, type FaissIndex } from "./index-file/index-file.ts";
