// Generates the TypeScript of every .proto; with --check, proves instead that what is committed is current.
// usage: node tools/generate.ts [--check]
import { execFileSync } from "node:child_process";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, relative } from "node:path";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("..", import.meta.url));

/** Every place that has generated code: its buf template, and the folder that the template owns. */
const targets = [
  { template: "buf.gen.yaml", folder: "libs/contracts/src/gen" },
  { template: "services/embedding/buf.gen.yaml", folder: "services/embedding/src/adapters/onnx/gen" },
];

function generate(into: string): void {
  for (const { template } of targets) {
    execFileSync("buf", ["generate", "--template", template, "--output", into], {
      cwd: root,
      stdio: "inherit",
      env: { ...process.env, PATH: `${root}/node_modules/.bin:${process.env["PATH"]}` },
    });
  }
}

/** Contents of every file below a folder, by path relative to it. */
function contents(folder: string): Map<string, string> {
  if (!existsSync(folder)) return new Map();
  return new Map(
    readdirSync(folder, { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile())
      .map((entry) => join(entry.parentPath, entry.name))
      .map((path) => [relative(folder, path), readFileSync(path, "utf8")]),
  );
}

function staleFiles(): string[] {
  const fresh = mkdtempSync(join(tmpdir(), "kindred-generated-"));
  try {
    generate(fresh);
    return targets.flatMap(({ folder }) => {
      const [committed, current] = [contents(join(root, folder)), contents(join(fresh, folder))];
      return [...new Set([...committed.keys(), ...current.keys()])]
        .filter((name) => committed.get(name) !== current.get(name))
        .map((name) => join(folder, name));
    });
  } finally {
    rmSync(fresh, { recursive: true, force: true });
  }
}

if (process.argv.includes("--check")) {
  const stale = staleFiles();
  if (stale.length > 0) {
    console.error(
      `Generated code is not current; run "npm run generate" and commit:\n  ${stale.join("\n  ")}`,
    );
    process.exitCode = 1;
  }
} else {
  generate(root);
}
