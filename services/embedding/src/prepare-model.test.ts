import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import { cp, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, describe, expect, test } from "@jest/globals";
import { silentLogger } from "@kindred/testing";
import { readModelConfig } from "./config.ts";
import type { LocalModelSpec } from "./domain/model.ts";
import { obtainModelFiles, prepareModel } from "./prepare-model.ts";

const FIXTURES = fileURLToPath(new URL("../test/models", import.meta.url));
const COMMIT = "0123456789abcdef0123456789abcdef01234567";
const REPOSITORY = "owner/tiny";

/** A hub with one repository of one commit, out of a folder. Answers as the real one does, also for what it has not. */
let hub: Server;
let endpoint: string;
let folder: string;
/** The files of the repository. */
let served: string;
let requests: string[];

async function answer(incoming: IncomingMessage, response: ServerResponse): Promise<void> {
  const { method, url = "" } = incoming;
  requests.push(`${method} ${url}`);
  if (url === `/api/models/${REPOSITORY}/revision/main`) {
    response.end(JSON.stringify({ sha: COMMIT }));
    return;
  }
  const name = new RegExp(`^/${REPOSITORY}/resolve/${COMMIT}/(.+)$`).exec(url)?.[1];
  const path = join(served, name ?? "");
  if (name === undefined || !existsSync(path)) {
    const code = name === undefined ? "RevisionNotFound" : "EntryNotFound";
    response.writeHead(404, { "x-error-code": code }).end();
    return;
  }
  const bytes = await readFile(path);
  const facts: Record<string, string> = { "x-repo-commit": COMMIT, "content-length": String(bytes.length) };
  if (name.endsWith(".safetensors")) {
    facts["x-linked-etag"] = `"${createHash("sha256").update(bytes).digest("hex")}"`;
    facts["x-linked-size"] = String(bytes.length);
  }
  response.writeHead(200, facts).end(method === "HEAD" ? undefined : bytes);
}

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "kindred-prepare-"));
  served = join(folder, "served");
  await cp(join(FIXTURES, "bert-mean"), served, { recursive: true });
  requests = [];
  hub = createServer((incoming, response) => {
    answer(incoming, response).catch((error: unknown) => response.destroy(error as Error));
  });
  await new Promise<void>((resolve) => hub.listen(0, "127.0.0.1", resolve));
  endpoint = `http://127.0.0.1:${(hub.address() as AddressInfo).port}`;
});

afterEach(async () => {
  hub.closeAllConnections();
  await new Promise((resolve) => hub.close(resolve));
  await rm(folder, { recursive: true, force: true });
});

const UNPINNED: LocalModelSpec = { name: "tiny", repository: REPOSITORY };
const SPEC: LocalModelSpec = { ...UNPINNED, revision: COMMIT };

const options = (settings: Record<string, string> = {}) => ({
  config: readModelConfig({
    KINDRED_CACHE_DIR: join(folder, "cache"),
    HF_HUB_CACHE: join(folder, "hub"),
    HF_ENDPOINT: endpoint,
    ...settings,
  }),
  onProgress: () => undefined,
  logger: silentLogger(),
});

describe("a model on the hub", () => {
  test("is obtained at its commit and compiled, and the second time without the hub", async () => {
    const first = await prepareModel(SPEC, { ...options(), precision: "fp32" });
    expect(first).toMatchObject({
      source: "hub",
      description: { name: REPOSITORY, architecture: { family: "bert", hidden: 32, maxTokens: 24 } },
    });
    expect(requests).toContain(`GET /${REPOSITORY}/resolve/${COMMIT}/model.safetensors`);
    expect(requests.filter((line) => !line.includes(COMMIT))).toEqual([]);
    requests = [];
    const second = await prepareModel(SPEC, { ...options({ HF_HUB_OFFLINE: "true" }), precision: "fp32" });
    expect(requests).toEqual([]);
    expect(second).toEqual({ ...first, source: "cache" });
  });

  test("in several files is found by their index", async () => {
    await rm(served, { recursive: true });
    await cp(join(FIXTURES, "bert-unigram-mean-split"), served, { recursive: true });
    const { weightsPaths, description } = await obtainModelFiles(SPEC, options());
    expect(weightsPaths).toHaveLength(2);
    expect(description.weights).toMatchObject({
      name: "model.safetensors.index.json",
      sha256: expect.stringMatching(/^[0-9a-f]{64}$/),
    });
  });

  test("that is not supported costs no more than its configuration", async () => {
    await writeFile(join(served, "config.json"), '{"model_type": "t5"}');
    await expect(obtainModelFiles(SPEC, options())).rejects.toMatchObject({
      kind: "failed-precondition",
      message: expect.stringContaining('model_type "t5"'),
    });
    expect(requests.filter((line) => line.includes("safetensors"))).toEqual([]);
  });

  test("whose weights are of another kind is refused by name", async () => {
    await rm(join(served, "model.safetensors"));
    await expect(obtainModelFiles(SPEC, options())).rejects.toThrow(
      "neither model.safetensors nor model.safetensors.index.json",
    );
  });

  test("that has other bytes at the same commit later is not accepted", async () => {
    await obtainModelFiles(SPEC, options());
    const models = join(folder, "cache", "models");
    for (const name of await readdir(models)) {
      if (/^[0-9a-f]{64}$/.test(name)) await rm(join(models, name), { recursive: true });
    }
    const config = await readFile(join(served, "config.json"), "utf8");
    await writeFile(join(served, "config.json"), config.replace('"gelu"', '"relu"'));
    await expect(obtainModelFiles(SPEC, options())).rejects.toMatchObject({
      kind: "unavailable",
      message: expect.stringMatching(/config\.json has SHA-256 [0-9a-f]{64}, expected [0-9a-f]{64}/),
    });
  });

  test("whose files are pinned is held to that", async () => {
    const files = { "tokenizer.json": { sha256: "0".repeat(64) } };
    await expect(obtainModelFiles({ ...SPEC, files }, options())).rejects.toThrow(
      `The model file tokenizer.json (SHA-256 ${"0".repeat(64)}) of tiny could not be obtained`,
    );
  });

  test("at an unknown commit is told as such", async () => {
    const revision = "f".repeat(40);
    await expect(obtainModelFiles({ ...SPEC, revision }, options())).rejects.toThrow("RevisionNotFound");
  });
});

describe("a model without a commit", () => {
  test.each(["main", undefined])("is refused with the one that it has now: %s", async (revision) => {
    const spec = revision === undefined ? UNPINNED : { ...SPEC, revision };
    const failing = obtainModelFiles(spec, options());
    await expect(failing).rejects.toMatchObject({ kind: "failed-precondition" });
    await expect(failing).rejects.toThrow(`Set its "revision" to the 40 digits of a commit`);
    await expect(failing).rejects.toThrow(`now it is "${COMMIT}"`);
  });

  test.each<[string, Record<string, string>, RegExp]>([
    ["when the hub is not to be asked", { HF_HUB_OFFLINE: "true" }, /HF_HUB_OFFLINE is set/],
    [
      "when the hub does not answer",
      { HF_ENDPOINT: "http://127.0.0.1:1" },
      /could not be looked up: no connection/,
    ],
  ])("is refused also %s", async (_name, settings, message) => {
    await expect(obtainModelFiles(UNPINNED, options(settings))).rejects.toThrow(message);
  });

  test("is taken from a folder, and only from there", async () => {
    const spec = { ...UNPINNED, directory: served };
    expect(await obtainModelFiles(spec, options())).toMatchObject({
      source: "directory",
      weightsPaths: [join(served, "model.safetensors")],
    });
    await rm(join(served, "tokenizer.json"));
    await expect(obtainModelFiles(spec, options())).rejects.toThrow(/could not be obtained:\n {2}directory/);
    expect(requests).toEqual([]);
  });

  test("is not taken from a folder that is not there", async () => {
    const spec = { ...UNPINNED, directory: join(folder, "nowhere") };
    await expect(obtainModelFiles(spec, options())).rejects.toThrow("there is no such folder");
  });
});
