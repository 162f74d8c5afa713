import { loadConfig } from "@kindred/config";
import { runService } from "@kindred/process";
import { createApp } from "./app.ts";
import { configSchema } from "./config.ts";

await runService({
  name: "vector-store",
  start: async (env) => await createApp(loadConfig(configSchema, env)),
});
