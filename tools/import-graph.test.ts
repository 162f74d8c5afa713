import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { builtinModules } from "node:module";
import { dirname, join, normalize, relative, sep } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "@jest/globals";

// The architecture of CONTRIBUTING.md as a test: where a line may live follows from what it imports.

const root = fileURLToPath(new URL("..", import.meta.url));

/** Which workspace libraries each library may import. Services and apps may import any of them. */
const LIBRARY_LAYERS: Record<string, readonly string[]> = {
  errors: [],
  contracts: [],
  config: ["errors"],
  telemetry: ["errors"],
  gallery: ["errors"],
  "page-tokens": ["errors"],
  rpc: ["errors", "config", "contracts", "telemetry"],
  postgres: ["errors", "config", "telemetry"],
  operations: ["contracts", "errors", "page-tokens", "postgres", "rpc", "telemetry"],
  process: ["errors", "config", "telemetry"],
  parquet: ["errors"],
  pickle: ["errors"],
  faiss: ["errors", "pickle"],
  "embedding-cache": ["errors", "process"],
  songs: [
    "config",
    "contracts",
    "embedding-cache",
    "errors",
    "parquet",
    "postgres",
    "process",
    "rpc",
    "telemetry",
  ],
  testing: ["errors", "config", "contracts", "telemetry", "rpc", "postgres", "process", "gallery"],
};

/** What a domain may import: they speak to nothing. */
const PURE_LIBRARIES = new Set(["@kindred/errors", "@kindred/page-tokens"]);

/** Vendors that each kind of adapter speaks to; an adapter file names one kind at most. */
const VENDORS: Record<string, readonly string[]> = {
  onnx: ["onnxruntime-node"],
  tokenizers: ["@huggingface/tokenizers"],
  protobuf: ["@bufbuild/protobuf"],
  postgres: ["pg", "pgvector", "pg-copy-streams", "pg-cursor", "typeorm"],
  openai: ["openai"],
  peers: ["@connectrpc/connect", "@connectrpc/connect-node"],
};

interface Import {
  file: string;
  /** As it is written. */
  specifier: string;
  /** Package name, or undefined for a relative import. */
  packageName: string | undefined;
  /** Repository path of a relative import. */
  target: string | undefined;
}

interface SourceFile {
  path: string;
  text: string;
  workspace: string;
  imports: Import[];
}

const isTest = (path: string): boolean => /\.test\.tsx?$|\/test\/|-fixtures?\.ts$/.test(path);

function withoutComments(text: string): string {
  return text.replace(/\/\*[\s\S]*?\*\//g, "").replace(/^\s*\/\/.*$/gm, "");
}

function packageOf(specifier: string): string | undefined {
  if (specifier.startsWith(".")) return undefined;
  const parts = specifier.split("/");
  return specifier.startsWith("@") ? `${parts[0]}/${parts[1]}` : parts[0];
}

function workspaceOf(path: string): string {
  const parts = path.split("/");
  return ["libs", "services", "apps"].includes(parts[0] as string)
    ? `${parts[0]}/${parts[1]}`
    : (parts[0] as string);
}

function load(): SourceFile[] {
  const listed = execFileSync("git", ["ls-files", "-co", "--exclude-standard", "*.ts", "*.tsx"], {
    cwd: root,
    encoding: "utf8",
  });
  return listed
    .split("\n")
    .filter((path) => /^(libs|services|apps|bench)\//.test(path) && !path.includes("/gen/"))
    .map((path) => {
      const text = withoutComments(readFileSync(join(root, path), "utf8"));
      const pattern = /(?:\bfrom\s+|^\s*import\s+|\bimport\s*\(\s*)["']([^"'\n]+)["']/gm;
      const imports = [...text.matchAll(pattern)].map((match): Import => {
        const specifier = match[1] as string;
        const packageName = packageOf(specifier);
        const target =
          packageName === undefined
            ? normalize(join(dirname(path), specifier))
                .split(sep)
                .join("/")
            : undefined;
        return { file: path, specifier, packageName, target };
      });
      return { path, text, workspace: workspaceOf(path), imports };
    });
}

const files = load();
const sources = files.filter((file) => !isTest(file.path));
const imports = files.flatMap((file) => file.imports);
const sourceImports = sources.flatMap((file) => file.imports);
const show = (found: readonly Import[]): string[] => found.map((i) => `${i.file} imports ${i.specifier}`);
const isBuiltin = (name: string): boolean => name.startsWith("node:") || builtinModules.includes(name);
const layerOf = (path: string): string | undefined =>
  /^services\/[^/]+\/src\/(domain|rpc|adapters)\//.exec(path)?.[1];

describe("packages", () => {
  test("there is something to look at", () => {
    expect(files.length).toBeGreaterThan(100);
    expect(imports.length).toBeGreaterThan(500);
  });

  test("a relative import stays inside its package", () => {
    expect(
      show(imports.filter((i) => i.target !== undefined && workspaceOf(i.target) !== workspaceOf(i.file))),
    ).toEqual([]);
  });

  test("libraries import only the libraries below them", () => {
    const bad = sourceImports.filter((i) => {
      const library = /^libs\/([^/]+)\//.exec(i.file)?.[1];
      if (library === undefined || !i.packageName?.startsWith("@kindred/")) return false;
      const target = i.packageName.slice("@kindred/".length);
      return target !== library && !LIBRARY_LAYERS[library]?.includes(target);
    });
    expect(show(bad)).toEqual([]);
  });

  test("services import no other service, and apps import no service", () => {
    const services = new Set(
      files.filter((f) => f.path.startsWith("services/")).map((f) => `@kindred/${f.path.split("/")[1]}`),
    );
    expect(services.size).toBe(4);
    const bad = imports.filter(
      (i) =>
        /^(services|apps)\//.test(i.file) &&
        services.has(i.packageName ?? "") &&
        i.packageName !== `@kindred/${i.file.split("/")[1]}`,
    );
    expect(show(bad)).toEqual([]);
  });

  test("only tests and benchmarks import the testing library", () => {
    const bad = sourceImports.filter(
      (i) => i.packageName === "@kindred/testing" && !/^(libs\/testing|bench)\//.test(i.file),
    );
    expect(show(bad)).toEqual([]);
  });

  test("every package that is imported is declared where it is imported", () => {
    const declared = new Map<string, Set<string>>();
    const declaredIn = (workspace: string): Set<string> => {
      let names = declared.get(workspace);
      if (names === undefined) {
        const manifest = JSON.parse(readFileSync(join(root, workspace, "package.json"), "utf8")) as Record<
          string,
          Record<string, string> | undefined
        > & { name: string };
        names = new Set([
          manifest.name,
          ...Object.keys(manifest["dependencies"] ?? {}),
          ...Object.keys(manifest["devDependencies"] ?? {}),
        ]);
        declared.set(workspace, names);
      }
      return names;
    };
    // The tools of the tests belong to the root.
    const shared = new Set(["@jest/globals", "fast-check", "playwright-core", "yaml"]);
    const bad = imports.filter(
      (i) =>
        i.packageName !== undefined &&
        !isBuiltin(i.packageName) &&
        !(shared.has(i.packageName) && isTest(i.file)) &&
        !declaredIn(workspaceOf(i.file)).has(i.packageName),
    );
    expect(show(bad)).toEqual([]);
  });
});

describe("inside a service", () => {
  test("the domain imports errors, page tokens, what operations are, and itself", () => {
    const bad = sourceImports.filter(
      (i) =>
        layerOf(i.file) === "domain" &&
        !(i.target !== undefined && layerOf(i.target) === "domain") &&
        !PURE_LIBRARIES.has(i.packageName ?? "") &&
        // Not its tables and messages: they are "@kindred/operations/postgres" and "@kindred/operations/rpc".
        i.specifier !== "@kindred/operations" &&
        !isBuiltin(i.packageName ?? ""),
    );
    expect(show(bad)).toEqual([]);
  });

  test("the domain of operations imports errors, page tokens and itself", () => {
    const bad = sourceImports.filter(
      (i) =>
        /^libs\/operations\/src\/[^/]+$/.test(i.file) &&
        !(i.target !== undefined && /^libs\/operations\/src\/[^/]+$/.test(i.target)) &&
        !PURE_LIBRARIES.has(i.packageName ?? "") &&
        !isBuiltin(i.packageName ?? ""),
    );
    expect(show(bad)).toEqual([]);
  });

  test("rpc/ knows contracts and the domain, and no adapter", () => {
    const allowed = new Set([
      "@kindred/errors",
      "@kindred/contracts",
      "@kindred/rpc",
      "@bufbuild/protobuf",
      "@connectrpc/connect",
    ]);
    const bad = sourceImports.filter(
      (i) =>
        layerOf(i.file) === "rpc" &&
        (i.target === undefined
          ? !allowed.has(i.packageName as string) &&
            i.specifier !== "@kindred/operations/rpc" &&
            !isBuiltin(i.packageName as string)
          : layerOf(i.target) === "adapters"),
    );
    expect(show(bad)).toEqual([]);
  });

  test("adapters know the domain and one vendor each, and not rpc/", () => {
    const adapters = sources.filter((f) => layerOf(f.path) === "adapters");
    expect(
      show(adapters.flatMap((f) => f.imports).filter((i) => i.target && layerOf(i.target) === "rpc")),
    ).toEqual([]);
    const crowded = adapters
      .map((f) => ({
        path: f.path,
        vendors: Object.entries(VENDORS)
          .filter(([, names]) => f.imports.some((i) => names.includes(i.packageName ?? "")))
          .map(([vendor]) => vendor),
      }))
      .filter((f) => f.vendors.length > 1);
    expect(crowded).toEqual([]);
  });

  test("the contracts are named in rpc/, in adapters that speak to peers, and where the routes are put together", () => {
    const bad = sourceImports.filter(
      (i) =>
        i.file.startsWith("services/") &&
        i.packageName === "@kindred/contracts" &&
        layerOf(i.file) === undefined &&
        !i.file.endsWith("/src/app.ts"),
    );
    expect(show(bad)).toEqual([]);
  });
});

describe("habits", () => {
  const mentions = (pattern: RegExp, where: RegExp): string[] =>
    sources.filter((f) => where.test(f.path) && pattern.test(f.text)).map((f) => f.path);

  test("only libs/config reads the environment", () => {
    expect(mentions(/\bprocess\.env\b/, /^(libs(?!\/(config|testing)\/)|services|apps)\//)).toEqual([]);
  });

  test("libraries and services never end the process", () => {
    expect(mentions(/\bprocess\.exit\s*\(/, /^(libs|services)\//)).toEqual([]);
  });

  test("libraries and services write to the log, not to the console", () => {
    expect(mentions(/\bconsole\./, /^(libs(?!\/testing\/)|services)\//)).toEqual([]);
  });

  test("no file is too long to be one thing", () => {
    const long = files
      .filter((f) => f.text.split("\n").length > 450)
      .map((f) => relative(root, join(root, f.path)));
    expect(long).toEqual([]);
  });
});
