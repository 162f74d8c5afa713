// Task: obtains and compiles the model, so that the service starts in a moment. JSON lines on standard output say how
// far it is; run by `kindred up` before the services start, and when a container image is built.
import { CONFIG_EXIT_CODE, ConfigError, readEnvironment } from "@kindred/config";
import { createLogger } from "@kindred/telemetry";
import { messageOf } from "@kindred/errors";
import { readModelConfig } from "./config.ts";
import { MINILM } from "./domain/model.ts";
import { prepareModel } from "./prepare-model.ts";
import { throttleProgress } from "./throttle-progress.ts";

function print(line: { phase: string; done: number; total: number; source: string }): void {
  process.stdout.write(`${JSON.stringify(line)}\n`);
}

try {
  const config = readModelConfig(readEnvironment());
  const logger = createLogger({ component: "embedding-prepare", level: "warn" });
  const { source } = await prepareModel(config, throttleProgress(print), logger);
  print({ phase: "ready", done: MINILM.weights.bytes, total: MINILM.weights.bytes, source });
} catch (error) {
  process.stderr.write(`${messageOf(error)}\n`);
  process.exitCode = error instanceof ConfigError ? CONFIG_EXIT_CODE : 1;
}
