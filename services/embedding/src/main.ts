import { runService } from "@kindred/process";
import { createApp } from "./app.ts";
import { readConfig } from "./config.ts";

await runService({ name: "embedding", start: (env) => createApp(readConfig(env)) });
