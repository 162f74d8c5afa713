import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { repositoryPath, resolvePlaces, runTask, superviseProcess } from "@kindred/process";
import { testDatabase, type TestDatabase } from "@kindred/testing";
import { layOutImage } from "./image-tree.ts";
import { IMAGES } from "./images.ts";

// A file that no COPY names, or a package that is a devDependency, is missed by the image alone. So every image is laid out by its
// Dockerfile, and what it starts is started there, with nothing of the repository around it.

let database: TestDatabase;
beforeAll(async () => {
  database = await testDatabase();
}, 120_000);
afterAll(async () => {
  await database?.[Symbol.asyncDispose]();
});

test.each(IMAGES)(
  "the image of $name has all that it needs to start, to answer its health check and to stop",
  async ({ name, folder, database: hasDatabase }) => {
    await using cleanup = new AsyncDisposableStack();
    const place = await mkdtemp(join(tmpdir(), `kindred-image-${name}-`));
    cleanup.defer(() => rm(place, { recursive: true, force: true }));
    const image = await layOutImage(repositoryPath(""), `${folder}/Dockerfile`, place);
    const log: string[] = [];
    const onLog = (line: string): void => void log.push(line);
    const inImage = {
      cwd: image.workdir,
      onLog,
      env: {
        ...image.env,
        HOST: "127.0.0.1",
        GRPC_PORT: "0",
        HTTP_PORT: "0",
        LOG_LEVEL: "info",
        KINDRED_CACHE_DIR: resolvePlaces(process.env).cache,
        DATABASE_URL: hasDatabase ? database.url : undefined,
        MIGRATE_ON_START: "false",
        MEDIA_ROOT: place,
      },
    };
    const entry = (path: string): string => join(image.workdir, path);

    // As Kubernetes does it: first the init container.
    if (hasDatabase) await runTask({ ...inImage, entry: entry(`${folder}/src/migrate.ts`) });
    if (name === "embedding") await runTask({ ...inImage, entry: entry(`${folder}/src/prepare.ts`) });

    const [node, main] = image.command;
    expect(node).toBe("node");
    const running = superviseProcess({ ...inImage, name, entry: entry(main as string), restart: "never" });
    cleanup.use(running);
    try {
      const { httpPort } = await running.ready;
      await runTask({
        ...inImage,
        entry: entry("deploy/docker/healthcheck.ts"),
        args: [`http://127.0.0.1:${httpPort}/healthz`],
      });
    } catch (error) {
      throw new Error(`${name} does not work in its image; its log:\n${log.join("\n")}`, { cause: error });
    }
    await running.stop();
    expect(log.some((line) => line.includes('"stopped"'))).toBe(true);
  },
  120_000,
);
