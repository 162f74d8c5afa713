import { existsSync, globSync } from "node:fs";
import { dirname } from "node:path";
import { describe, expect, test } from "@jest/globals";
import { repositoryPath } from "@kindred/process";
import { dockerignore, environmentOf, lastOf, parseDockerfile } from "./dockerfile.ts";
import { IMAGES, readJson, readText } from "./images.ts";
import { productionPackages, type Lockfile } from "./production-packages.ts";

const lock = readJson<Lockfile>("package-lock.json");
const ignored = dockerignore(readText(".dockerignore"));

describe.each(IMAGES)("the Dockerfile of $name", ({ name, folder, main, ports }) => {
  const text = readText(`${folder}/Dockerfile`);
  const dockerfile = parseDockerfile(text);
  const dependencies = dockerfile.stages.find((stage) => stage.name === "dependencies");
  const last = dockerfile.stages.at(-1);
  const packageName = readJson<{ name: string }>(`${folder}/package.json`).name;
  /** The folders of the workspace and of the libraries that it runs on. */
  const workspaces = productionPackages(lock, packageName)
    .flatMap(({ workspace }) => workspace ?? [])
    .toSorted();
  const copiedFromContext = (instructions: typeof last): string[] =>
    (instructions?.instructions ?? [])
      .filter(({ keyword, flags }) => keyword === "COPY" && flags["from"] === undefined)
      .flatMap(({ words }) => words.slice(0, -1));

  test("copies the package.json of exactly the workspaces that it runs on, before installing", () => {
    const copied = copiedFromContext(dependencies).filter((path) => path.includes("/"));
    expect(copied.toSorted()).toEqual(workspaces.map((path) => `${path}/package.json`));
  });

  test("copies the sources of exactly these", () => {
    const copied = copiedFromContext(last).filter((path) => path !== "deploy/docker/healthcheck.ts");
    expect(copied.toSorted()).toEqual(workspaces);
  });

  test("copies nothing that .dockerignore keeps out or that is not there", () => {
    const copied = dockerfile.stages.flatMap((stage) => copiedFromContext(stage));
    expect(copied.filter((path) => ignored(path) || !existsSync(repositoryPath(path)))).toEqual([]);
  });

  test("installs for its workspace, without development packages and without install scripts", () => {
    const install = dependencies?.instructions.find(({ rest }) => rest.includes("npm install"))?.rest;
    expect(install).toContain("--omit=dev");
    expect(install).toContain("--ignore-scripts");
    expect(install).toMatch(new RegExp(`--workspace=${packageName}$`));
  });

  test("runs as an unprivileged user, without a shell in between", () => {
    expect(lastOf(dockerfile, "USER")?.rest).toBe("1000:1000");
    expect(lastOf(dockerfile, "ENTRYPOINT")?.rest).toBe('["node"]');
    expect(lastOf(dockerfile, "CMD")?.rest).toBe(`["${main}"]`);
    expect(lastOf(dockerfile, "STOPSIGNAL")?.rest).toBe("SIGTERM");
    expect(environmentOf(dockerfile)["NODE_ENV"]).toBe("production");
  });

  test("exposes and asks the default ports", () => {
    expect(lastOf(dockerfile, "EXPOSE")?.words).toEqual(Object.values(ports).map(String));
    expect(environmentOf(dockerfile)["HOST"]).toBe("0.0.0.0");
    expect(lastOf(dockerfile, "HEALTHCHECK")?.rest).toContain(
      `CMD ["node", "deploy/docker/healthcheck.ts", "http://127.0.0.1:${ports["http"]}/healthz"]`,
    );
  });

  test("is on one Node with all the others", () => {
    const images = dockerfile.stages
      .map(({ base }) => base)
      .filter((base) => !dockerfile.stages.some((stage) => stage.name === base));
    const major = readText(".nvmrc").trim().replace(/^v/, "").split(".")[0];
    expect(new Set(images.filter((base) => base.startsWith("node:")))).toEqual(
      new Set([`node:${major}-slim`]),
    );
    expect(text).toMatch(/^# syntax=docker\/dockerfile:1\n/);
    expect(name).toMatch(/^[a-z-]+$/);
  });
});

test("the image of embedding tells nobody that it is used", () => {
  const environment = environmentOf(parseDockerfile(readText("services/embedding/Dockerfile")));
  expect(environment["ORT_DISABLE_TELEMETRY"]).toBe("1");
});

test("no Dockerfile is left out of these tests", () => {
  const found = globSync("{services,apps,libs,deploy,tools}/**/Dockerfile", {
    cwd: repositoryPath(""),
    exclude: (path) => path.includes("node_modules"),
  });
  expect(found.map((path) => dirname(path)).toSorted()).toEqual(
    IMAGES.map(({ folder }) => folder).toSorted(),
  );
});

describe(".dockerignore", () => {
  test("lets through what runs, and keeps out what does not", () => {
    const through = ["package.json", ".npmrc", "libs/rpc/src/serve.ts", "services/metrics/src/main.ts"];
    const out = [
      ".env",
      ".git/config",
      "services/metrics/.env",
      "node_modules/pg/package.json",
      "apps/dashboard/node_modules/x/index.js",
      "apps/dashboard/dist/index.html",
      "libs/rpc/src/retry.test.ts",
      "services/metrics/test/metrics.int.test.ts",
      "docs/adr/0001-four-services-and-the-call-table.md",
    ];
    expect(through.filter((path) => ignored(path))).toEqual([]);
    expect(out.filter((path) => !ignored(path))).toEqual([]);
  });
});

describe("parseDockerfile", () => {
  test("reads stages, flags, continuation lines, comments and JSON arrays", () => {
    const parsed = parseDockerfile(
      'ARG BASE=two\nFROM a:1 AS one\n# comment\nCOPY --parents --from=x a \\\n  b ./\nFROM one AS two\nFROM ${BASE}\nCMD ["a", "b c"]\n',
    );
    expect(parsed.stages.map(({ base, name }) => [base, name])).toEqual([
      ["a:1", "one"],
      ["one", "two"],
      ["two", undefined],
    ]);
    expect(parsed.stages[0]?.instructions[0]).toMatchObject({
      keyword: "COPY",
      flags: { parents: "", from: "x" },
      words: ["a", "b", "./"],
    });
    expect(lastOf(parsed, "CMD")?.words).toEqual(["a", "b c"]);
    expect(lastOf(parsed, "COPY")?.words).toEqual(["a", "b", "./"]);
  });
});
