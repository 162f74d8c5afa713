import { readEnvironment } from "@kindred/config";
import { runCli } from "./run-cli.ts";

// Whoever reads our output may have read enough (`kindred search … | head -1`), and a terminal may be closed while we stop.
for (const stream of [process.stdout, process.stderr]) {
  stream.on("error", (error: NodeJS.ErrnoException) => {
    if (error.code !== "EPIPE" && error.code !== "EIO") throw error;
  });
}

process.exitCode = await runCli(process.argv.slice(2), {
  env: readEnvironment(),
  stdout: process.stdout,
  stderr: process.stderr,
});
