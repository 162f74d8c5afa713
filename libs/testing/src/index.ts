export { describeWithSharedData, sharedData } from "./shared-data.ts";
export { silentLogger } from "./silent-logger.ts";
export { startStack, type Stack, type StartStackOptions } from "./start-stack.ts";
export { testDatabase, type TestDatabase } from "./test-database.ts";
