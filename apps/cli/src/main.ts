import { readEnvironment } from "@kindred/config";
import { resolvePlaces } from "@kindred/process/places";
import { keepCompiledModules } from "./compiled-modules.ts";
import { EXIT } from "./exit-codes.ts";

const env = readEnvironment();
keepCompiledModules(resolvePlaces(env).cache);
const { runCli } = await import("./run-cli.ts");

// Whoever reads our output may have read enough (`kindred search … | head -1`), and a terminal may be closed while we stop.
// Anything else, a full disk above all, means that what was asked for is not there.
for (const stream of [process.stdout, process.stderr]) {
  stream.on("error", (error: NodeJS.ErrnoException) => {
    if (error.code === "EPIPE" || error.code === "EIO" || process.exitCode === EXIT.cannotWrite) return;
    process.exitCode = EXIT.cannotWrite;
    process.stderr.write(`error: The output cannot be written: ${error.message}\n`);
  });
}

const exitCode = await runCli(process.argv.slice(2), {
  env,
  stdout: process.stdout,
  stderr: process.stderr,
});
process.exitCode ??= exitCode;
