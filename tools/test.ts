// Everything that CI checks, in order of how quickly it fails; every step runs even after one failed.
// usage: node tools/test.ts [--database-only] [jest options]      closes with "N passed, N failed"
//   --database-only   only the integration tests that a database can make a difference to
import { spawn } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("..", import.meta.url));
const databaseOnly = process.argv.includes("--database-only");
const jestOptions = process.argv.slice(2).filter((option) => option !== "--database-only");
const DATABASE_TESTS = String.raw`^${root}(services/(vector-store|generation-tracking|metrics)|apps/cli)/.*\.int\.test\.ts$`;

interface Outcome {
  name: string;
  code: number;
  seconds: number;
}

/** Runs a command with its output passed through; the exit code is 1 when a signal ended it. */
async function run(name: string, command: string, args: readonly string[]): Promise<Outcome> {
  console.error(`\n── ${name}`);
  const started = performance.now();
  const child = spawn(command, args, {
    cwd: root,
    stdio: "inherit",
    env: {
      ...process.env,
      PATH: `${root}/node_modules/.bin:${process.env["PATH"]}`,
      NODE_OPTIONS: `${process.env["NODE_OPTIONS"] ?? ""} --disable-warning=ExperimentalWarning`.trim(),
      NX_TUI: "false",
    },
  });
  const code = await new Promise<number>((resolve, reject) => {
    child.once("error", reject);
    child.once("exit", (exitCode) => resolve(exitCode ?? 1));
  });
  return { name, code, seconds: (performance.now() - started) / 1000 };
}

interface JestReport {
  numPassedTests: number;
  numFailedTests: number;
  numPendingTests: number;
  numRuntimeErrorTestSuites: number;
}

const scratch = mkdtempSync(join(tmpdir(), "kindred-report-"));
const reportPath = join(scratch, "jest.json");
try {
  const steps: Outcome[] = [];
  if (!databaseOnly) {
    steps.push(
      await run("generated code is current", "node", ["tools/generate.ts", "--check"]),
      await run("configuration page is current", "node", ["tools/configuration.ts", "--check"]),
      await run("contracts", "buf", ["lint"]),
      await run("types", "nx", ["run-many", "-t", "typecheck", "--parallel=2", "--outputStyle=static"]),
      await run("lint", "oxlint", ["--deny-warnings"]),
      await run("format", "prettier", ["--check", "--log-level", "warn", "."]),
    );
  }
  const jest = await run("tests", "node", [
    "--experimental-vm-modules",
    "node_modules/jest/bin/jest.js",
    "--json",
    `--outputFile=${reportPath}`,
    "--testLocationInResults=false",
    ...(databaseOnly ? [`--testPathPatterns=${DATABASE_TESTS}`] : []),
    ...jestOptions,
  ]);
  let report: JestReport | undefined;
  try {
    report = JSON.parse(readFileSync(reportPath, "utf8")) as JestReport;
  } catch {
    console.error("jest wrote no report; it counts as one failure");
  }

  console.error("");
  for (const step of [...steps, jest]) {
    console.error(`${step.code === 0 ? "ok    " : "FAILED"}  ${step.name}  (${step.seconds.toFixed(1)} s)`);
  }
  const failedSteps = steps.filter((step) => step.code !== 0).length;
  const passed = steps.length - failedSteps + (report?.numPassedTests ?? 0);
  const failedTests = (report?.numFailedTests ?? 0) + (report?.numRuntimeErrorTestSuites ?? 0);
  // Whatever made jest end badly counts, even when no single test failed.
  const failed = failedSteps + (failedTests === 0 && jest.code !== 0 ? 1 : failedTests);
  const skipped = report?.numPendingTests ?? 0;
  console.log(`${passed} passed, ${failed} failed${skipped > 0 ? `, ${skipped} skipped` : ""}`);
  process.exitCode = failed > 0 ? 1 : 0;
} finally {
  rmSync(scratch, { recursive: true, force: true });
}
