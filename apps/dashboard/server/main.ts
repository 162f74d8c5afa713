import { loadConfig } from "@kindred/config";
import { runService } from "@kindred/process";
import { configSchema } from "./config.ts";
import { listenOrigin } from "./listen.ts";

await runService({
  name: "origin",
  start: async (env) => await listenOrigin(loadConfig(configSchema, env)),
});
