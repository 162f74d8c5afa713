export { badFieldsOf, errorOf, problemsOf, violationsOf } from "./call-errors.ts";
export { documentedMetrics, type DocumentedMetric } from "./documented-metrics.ts";
export { faissIndexFile, pickleFile, type Picklable, type TestIndex } from "./faiss-files.ts";
export { wrongAnswers, type Fault } from "./openai-server/faults.ts";
export {
  startOpenAiServer,
  type EmbeddingsRequest,
  type OpenAiServer,
  type OpenAiServerOptions,
} from "./openai-server/start-openai-server.ts";
export { hasPromtool, promtool } from "./promtool.ts";
export { replicatedDatabase, type ReplicatedDatabase } from "./replicated-database.ts";
export { describeWithSharedData, sharedData } from "./shared-data.ts";
export { silentLogger } from "./silent-logger.ts";
export { startStack, type Stack, type StartStackOptions } from "./start-stack.ts";
export { testDatabase, type TestDatabase } from "./test-database.ts";
export { temporaryFolder } from "./temporary-folder.ts";
export { untouchable } from "./untouchable.ts";
