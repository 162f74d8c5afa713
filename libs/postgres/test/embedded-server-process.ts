// A process that runs an embedded server until it is killed: `node embedded-server-process.ts KIND DATA CACHE`.
import { silentLogger } from "@kindred/testing";
import { startEmbeddedServer } from "../src/index.ts";

const [kind, dataDir, cacheDir] = process.argv.slice(2) as ["native" | "pglite", string, string];
const server = await startEmbeddedServer({ kind, dataDir, cacheDir, logger: silentLogger() });
process.stdout.write(`${server.url}\n`);
setInterval(() => {}, 60_000);
