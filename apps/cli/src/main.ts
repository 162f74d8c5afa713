import { readEnvironment } from "@kindred/config";
import { runCli } from "./run-cli.ts";

// Whoever reads our output may have read enough (`kindred search … | head -1`).
process.stdout.on("error", (error: NodeJS.ErrnoException) => {
  if (error.code !== "EPIPE") throw error;
});

process.exitCode = await runCli(process.argv.slice(2), {
  env: readEnvironment(),
  stdout: process.stdout,
  stderr: process.stderr,
});
