import { execFileSync, spawnSync } from "node:child_process";
import { describe, expect, test } from "@jest/globals";
import { repositoryPath } from "@kindred/process";
import { parse } from "yaml";
import { CALLS, IMAGES, readJson, readText, VERSION } from "./images.ts";
import { dockerfileOf, peersOf, seconds, unknownSettings, configOf } from "./settings.ts";

interface Container {
  image: string;
  build?: { context: string; dockerfile: string };
  environment?: Record<string, string>;
  command?: string[];
  ports?: string[];
  volumes?: string[];
  depends_on?: Record<string, { condition: string }>;
  healthcheck?: { test?: string[]; disable?: boolean };
  restart?: string;
  init?: boolean;
  read_only?: boolean;
  tmpfs?: string[];
  cap_drop?: string[];
  security_opt?: string[];
  shm_size?: string;
  stop_grace_period?: string;
}

/** `${NAME:-default}` as it is with nothing set; what is empty then is an empty text. */
const withDefaults = (text: string): string =>
  text.replace(/: \$\{\w+:-\}$/gm, ': ""').replace(/\$\{\w+:-([^}]*)\}/g, "$1");

const compose = parse(withDefaults(readText("docker-compose.yml")), { merge: true }) as {
  services: Record<string, Container>;
  volumes: Record<string, unknown>;
};
const containers = Object.entries(compose.services);
const container = (name: string): Container => compose.services[name] as Container;
const ours = containers.filter(([, { build }]) => build !== undefined);

test("runs the database, the task that gets the model, and every image", () => {
  expect(Object.keys(compose.services).toSorted()).toEqual(
    ["database", "model", ...IMAGES.map(({ name }) => name)].toSorted(),
  );
});

describe.each(IMAGES)("$name", ({ name, folder, ports, database }) => {
  const { environment = {}, ...rest } = container(name);

  test("is the image that its Dockerfile makes", () => {
    expect(rest.image).toBe(`kindred/${name}:${VERSION}`);
    expect(rest.build).toEqual({ context: ".", dockerfile: `${folder}/Dockerfile` });
    // Its health check and its command are the image's.
    expect([rest.healthcheck, rest.command]).toEqual([undefined, undefined]);
    expect(dockerfileOf(folder)).toMatch(/^HEALTHCHECK /m);
  });

  test("is given only settings that it reads, with values that it takes", () => {
    expect(unknownSettings(name, environment)).toEqual([]);
    expect(() => configOf(name, environment)).not.toThrow();
    expect("DATABASE_URL" in environment).toBe(database);
  });

  test("knows the addresses of those it calls, and of nobody else", () => {
    expect(peersOf(environment, "ADDRESS")).toEqual(
      Object.fromEntries(
        (CALLS[name] as string[]).map((peer) => [
          peer,
          `dns:///${peer}:${IMAGES.find((image) => image.name === peer)?.ports["grpc"]}`,
        ]),
      ),
    );
  });

  test("is stopped only after it has drained", () => {
    const { DRAIN_TIMEOUT = 0, SHUTDOWN_GRACE = 0 } = configOf(name, environment) as Record<string, number>;
    expect(1000 * seconds(rest.stop_grace_period)).toBeGreaterThan(DRAIN_TIMEOUT + SHUTDOWN_GRACE);
  });

  test("publishes its first port", () => {
    const [port] = Object.values(ports);
    expect(rest.ports).toEqual([`127.0.0.1:${port}:${port}`]);
  });
});

test("the origin passes calls on to every service's HTTP port", () => {
  expect(peersOf(container("origin").environment ?? {}, "URL")).toEqual(
    Object.fromEntries(
      IMAGES.filter(({ name }) => name !== "origin").map(({ name, ports }) => [
        name,
        `http://${name}:${ports["http"]}`,
      ]),
    ),
  );
});

test.each(ours)("%s can write only to its volumes and /tmp, and gains no rights", (_, rest) => {
  expect(rest).toMatchObject({
    read_only: true,
    init: true,
    cap_drop: ["ALL"],
    security_opt: ["no-new-privileges:true"],
  });
  expect(rest.tmpfs?.map((mount) => mount.split(":")[0])).toEqual(["/tmp"]);
});

test("nothing is published to other machines", () => {
  const ports = containers.flatMap(([, rest]) => rest.ports ?? []);
  expect(ports.length).toBeGreaterThan(0);
  expect(ports.filter((port) => !port.startsWith("127.0.0.1:"))).toEqual([]);
});

test("whoever waits for health waits for a container that has a health check, and for a task to end", () => {
  for (const [name, { depends_on = {} }] of containers) {
    for (const [other, { condition }] of Object.entries(depends_on)) {
      const isTask = container(other).restart?.startsWith("on-failure") ?? false;
      expect([name, other, condition === "service_completed_successfully"]).toEqual([name, other, isTask]);
      if (condition === "service_healthy" && container(other).build === undefined) {
        expect(container(other).healthcheck?.test).toBeDefined();
      }
    }
  }
});

test("the task makes the model ready in the volume and with the settings of the embedding service", () => {
  const [model, embedding] = [container("model"), container("embedding")];
  expect(model.command).toEqual(["services/embedding/src/prepare.ts"]);
  expect(model.image).toBe(embedding.image);
  expect(model.environment).toEqual(embedding.environment);
  expect(model.volumes).toEqual(embedding.volumes);
  expect(model.volumes).toEqual(["cache:/var/cache/kindred"]);
  expect(dockerfileOf("services/embedding")).toContain("KINDRED_CACHE_DIR=/var/cache/kindred");
});

test("the database is on port 5433, with a pgvector without known faults and room for parallel index builds", () => {
  const database = container("database");
  expect(database.ports).toEqual(["127.0.0.1:5433:5432"]);
  const [, minor, patch] = /^pgvector\/pgvector:0\.(\d+)\.(\d+)-pg17$/.exec(database.image) ?? [];
  expect(Number(minor) * 1000 + Number(patch)).toBeGreaterThanOrEqual(8004);
  const { INDEX_BUILD_MEMORY } = configOf("vector-store", container("vector-store").environment ?? {});
  expect(database.shm_size).toBe("1gb");
  expect(INDEX_BUILD_MEMORY).toBeLessThan(2 ** 30);
});

test("volumes are declared", () => {
  const used = containers.flatMap(([, { volumes = [] }]) => volumes.map((volume) => volume.split(":")[0]));
  expect([...new Set(used)].toSorted()).toEqual(Object.keys(compose.volumes).toSorted());
});

test("npm scripts drive it", () => {
  const { scripts } = readJson<{ scripts: Record<string, string> }>("package.json");
  for (const name of ["up", "down", "restart", "logs", "status"]) {
    expect(scripts[`docker-${name}`]).toMatch(/^docker compose /);
  }
});

const hasCompose = spawnSync("docker", ["compose", "version"]).status === 0;
(hasCompose ? test : test.skip)(
  "docker compose accepts the file (skipped where there is no docker compose)",
  () => {
    execFileSync("docker", ["compose", "--file", repositoryPath("docker-compose.yml"), "config", "--quiet"]);
  },
);
