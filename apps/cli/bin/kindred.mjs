#!/usr/bin/env node
// The `kindred` command. The sources are TypeScript that Node 24 runs as it is; an older Node hands over to the one that
// `npm install` has put beside them. Plain syntax: an old Node has to understand this file.
import { spawn } from "child_process";
import { existsSync } from "fs";
import { constants } from "os";
import { fileURLToPath } from "url";

const main = new URL("../src/main.ts", import.meta.url);
const program = process.platform === "win32" ? "node.exe" : "node";
const node = fileURLToPath(new URL(`../../../node_modules/node/bin/${program}`, import.meta.url));

if (Number(process.versions.node.split(".")[0]) >= 24) {
  import(main.href);
} else if (existsSync(node)) {
  // The channel ends when this process dies, however it does; long-running commands stop then.
  const child = spawn(
    node,
    ["--disable-warning=ExperimentalWarning", fileURLToPath(main)].concat(process.argv.slice(2)),
    { stdio: ["inherit", "inherit", "inherit", "ipc"] },
  );
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"]) process.on(signal, () => child.kill(signal));
  child.once("exit", (code, signal) => {
    process.exitCode = signal ? 128 + constants.signals[signal] : code;
  });
} else {
  console.error(
    `kindred needs Node 24, this is ${process.version}: run "npm install" in the repository first.`,
  );
  process.exitCode = 1;
}
