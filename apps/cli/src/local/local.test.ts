import { mkdtempSync, readFileSync, rmSync, writeFileSync, existsSync } from "node:fs";
import { once } from "node:events";
import { createServer, type AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "@jest/globals";
import { anyPorts } from "@kindred/process";
import { chooseDatabase } from "./database.ts";
import { takeHome } from "./home.ts";
import { inParallel } from "./in-parallel.ts";
import { LogFiles, warningIn } from "./log-files.ts";
import { arePortsFree, choosePorts, consecutivePorts, requireFreePorts } from "./ports.ts";

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "kindred-local-"));
});
afterEach(() => rmSync(folder, { recursive: true }));

describe("ports", () => {
  test("those that everybody knows, nine in a row, or any", async () => {
    expect(await choosePorts({})).toMatchObject({
      origin: 8080,
      services: { embedding: { grpc: 50051, http: 8081 } },
    });
    expect(await choosePorts({ port: 9000 })).toMatchObject({
      origin: 9000,
      services: { metrics: { grpc: 50054 } },
    });
    const row = consecutivePorts(9000);
    const numbers = Object.values(row.services).flatMap(({ grpc, http }) => [grpc, http]);
    expect([row.origin, ...numbers].toSorted()).toEqual([
      9000, 9001, 9002, 9003, 9004, 9005, 9006, 9007, 9008,
    ]);
    expect(await arePortsFree(await choosePorts({ anyPort: true }))).toBe(true);
  });

  test("a taken port is one line, with who has it and what to do", async () => {
    const server = createServer().listen(0, "127.0.0.1");
    await once(server, "listening");
    const { port } = server.address() as AddressInfo;
    const ports = await anyPorts();
    await expect(requireFreePorts({ ...ports, origin: port })).rejects.toMatchObject({
      message: expect.stringMatching(
        new RegExp(`^Port ${port} for the origin is taken( by process ${process.pid} .*)?\\.$`),
      ),
      remedy: expect.stringContaining("--port"),
      exitCode: 1,
    });
    const services = { ...ports.services, embedding: { grpc: port, http: ports.services.embedding.http } };
    await expect(requireFreePorts({ ...ports, services })).rejects.toMatchObject({
      message: expect.stringContaining(`Port ${port} for embedding (gRPC) is taken`),
      remedy: expect.stringContaining("--any-port"),
    });
    server.close();
  });
});

describe("the home", () => {
  test("is made, and one process at a time has it", async () => {
    const places = { home: join(folder, "home"), cache: join(folder, "cache") };
    const home = await takeHome(places);
    expect(home).toMatchObject({ media: join(places.home, "media"), afterKill: false });
    await expect(takeHome(places)).rejects.toMatchObject({
      message: `Kindred is running already: process ${process.pid} uses ${places.home}.`,
      remedy: expect.stringContaining("--home"),
    });
    await home[Symbol.asyncDispose]();
    writeFileSync(join(places.home, "up.lock"), "{}");
    expect(await takeHome(places)).toMatchObject({ afterKill: true });
  });

  test("that cannot be made is one line, with exit code 73", async () => {
    writeFileSync(join(folder, "file"), "");
    const places = { home: join(folder, "file", "home"), cache: folder };
    await expect(takeHome(places)).rejects.toMatchObject({
      message: `${places.home} cannot be written to (ENOTDIR).`,
      exitCode: 73,
    });
  });
});

describe("which database", () => {
  test.each([
    [undefined, {}, { kind: "auto" }],
    [undefined, { DATABASE_URL: "postgres://a/b" }, { url: "postgres://a/b" }],
    ["pglite", { DATABASE_URL: "postgres://a/b" }, { kind: "pglite" }],
    ["postgresql://a/b", {}, { url: "postgresql://a/b" }],
  ])("%p, %j", (option, env, choice) => {
    expect(chooseDatabase(option, env)).toEqual(choice);
  });
});

describe("works side by side", () => {
  test("their results come in their order", async () => {
    const { signal } = new AbortController();
    const slow = async (): Promise<string> => {
      await new Promise((resolve) => setTimeout(resolve, 10));
      return "slow";
    };
    expect(await inParallel(signal, [slow, () => Promise.resolve(2)])).toEqual(["slow", 2]);
  });

  test("all are over before the first failure is thrown, and the others heard of it", async () => {
    const heard: string[] = [];
    const works = inParallel(new AbortController().signal, [
      () => Promise.reject(new Error("first")),
      async (signal) => {
        await once(signal, "abort");
        await new Promise((resolve) => setTimeout(resolve, 20));
        heard.push("second is over");
        throw new Error("second");
      },
    ]);
    await expect(works).rejects.toThrow("first");
    expect(heard).toEqual(["second is over"]);
  });

  test("a wish to stop reaches all", async () => {
    const stop = new AbortController();
    const works = inParallel(stop.signal, [
      (signal) => once(signal, "abort"),
      (signal) => once(signal, "abort"),
    ]);
    stop.abort();
    await works;
    expect(stop.signal.aborted).toBe(true);
  });
});

describe("logs", () => {
  test("one file a process; those of earlier runs are kept, the oldest goes", async () => {
    for (const run of [1, 2, 3, 4, 5]) {
      await using logs = await LogFiles.open(folder, ["metrics"], () => {});
      logs.write("metrics", `run ${run}`);
    }
    const kept = ["", ".1", ".2", ".3"].map((suffix) =>
      readFileSync(join(folder, `metrics.log${suffix}`), "utf8"),
    );
    expect(kept).toEqual(["run 5\n", "run 4\n", "run 3\n", "run 2\n"]);
    expect(existsSync(join(folder, "metrics.log.4"))).toBe(false);
  });

  test("warnings are for people, the rest is for the file", async () => {
    const shown: string[] = [];
    {
      await using logs = await LogFiles.open(folder, ["a"], (name, message) =>
        shown.push(`${name}: ${message}`),
      );
      logs.write("a", '{"level":"info","msg":"ready"}');
      logs.write("a", '{"level":"warn","msg":"slow"}');
      logs.write("a", '{"level":"error","msg":"failed","err":{"message":"why"}}');
      logs.write("a", '{"level":"fatal","msg":"ended"}');
      logs.write("a", "not JSON");
    }
    expect(shown).toEqual(["a: slow", "a: failed: why"]);
    expect(readFileSync(join(folder, "a.log"), "utf8").split("\n")).toHaveLength(6);
    expect(warningIn("{broken")).toBeUndefined();
  });
});
