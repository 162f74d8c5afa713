// Task: obtains and compiles the models that are served here, so that the service starts in a moment. JSON lines on standard output
// say how far it is; run by `kindred up` before the services start, and when a container image is built.
import { CONFIG_EXIT_CODE, ConfigError, readEnvironment } from "@kindred/config";
import { createLogger } from "@kindred/telemetry";
import { messageOf } from "@kindred/errors";
import { likelyPrecision } from "./adapters/onnx/likely-precision.ts";
import { readModelConfig } from "./config.ts";
import { prepareModel } from "./prepare-model.ts";
import { throttleProgress } from "./throttle-progress.ts";

function print(line: { phase: string; done: number; total: number; source: string; model: string }): void {
  process.stdout.write(`${JSON.stringify(line)}\n`);
}

try {
  const config = readModelConfig(readEnvironment());
  const logger = createLogger({ component: "embedding-prepare", level: "warn" });
  const { EMBEDDING_PRECISION, EMBEDDING_PROVIDER } = config;
  for (const { name: model, ...entry } of config.models) {
    if (entry.kind === "remote") continue;
    const { spec } = entry;
    const precision = likelyPrecision(spec.precision ?? EMBEDDING_PRECISION, EMBEDDING_PROVIDER);
    const onProgress = throttleProgress((progress) => print({ ...progress, model }));
    const { source, modelBytes } = await prepareModel(spec, { config, precision, onProgress, logger });
    print({ phase: "ready", done: modelBytes, total: modelBytes, source, model });
  }
} catch (error) {
  process.stderr.write(`${messageOf(error)}\n`);
  process.exitCode = error instanceof ConfigError ? CONFIG_EXIT_CODE : 1;
}
