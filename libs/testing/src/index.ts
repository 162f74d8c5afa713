export { describeWithSharedData, sharedData } from "./shared-data.ts";
export { silentLogger } from "./silent-logger.ts";
export { testDatabase, type TestDatabase } from "./test-database.ts";
