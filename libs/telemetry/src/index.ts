export { createLogger, type Logger } from "./logger.ts";
export { activeTraceparent, withRemoteTrace, traceIdOf } from "./trace-context.ts";
