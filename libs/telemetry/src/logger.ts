import { pino } from "pino";
import { activeTraceId } from "./trace-context.ts";

export type { Logger } from "pino";

export interface LoggerOptions {
  /** Name of the process, e.g. "embedding"; stands in every line as `component`. */
  component: string;
  level: "fatal" | "error" | "warn" | "info" | "debug" | "trace" | "silent";
}

/** A logger that writes JSON lines to standard error, with the trace id of the call that is being served. */
export function createLogger(options: LoggerOptions) {
  return pino(
    {
      level: options.level,
      base: { component: options.component, pid: process.pid },
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
      mixin: () => {
        const traceId = activeTraceId();
        return traceId === undefined ? {} : { trace_id: traceId };
      },
      redact: ["DATABASE_URL", "password", "*.password", "*.DATABASE_URL"],
    },
    pino.destination({ dest: 2, sync: true }),
  );
}
