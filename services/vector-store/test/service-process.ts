// The service in a process of its own, until it is killed: `node service-process.ts DATABASE_URL`. Its first line is its gRPC port.
import { loadConfig } from "@kindred/config";
import { silentLogger } from "@kindred/testing";
import { createApp } from "../src/app.ts";
import { configSchema } from "../src/config.ts";
import { fakeEmbedding } from "./fake-embedding.ts";

const [url] = process.argv.slice(2) as [string];
const config = loadConfig(configSchema, {
  DATABASE_URL: url,
  GRPC_PORT: "0",
  HTTP_PORT: "0",
  METRICS_ADDRESS: "127.0.0.1:1",
  EMBEDDING_ADDRESS: "127.0.0.1:1",
});
const overrides = { logger: silentLogger(), embedding: fakeEmbedding(), tuningMs: 2000 };
const app = await createApp(config, overrides);
process.stdout.write(`${app.ready.grpcPort}\n`);
