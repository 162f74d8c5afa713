import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { MessageInitShape } from "@bufbuild/protobuf";
import { afterEach, beforeEach, describe, expect, test } from "@jest/globals";
import { ModelState, Priority, type ModelSchema } from "@kindred/contracts/embedding/v1";
import { KindredError } from "@kindred/errors";
import { answer, fakeEmbedding, SPACE } from "../../test/fake-embedding.ts";
import { runInProcess } from "../../test/run-in-process.ts";

let folder: string;
let cleanup: AsyncDisposableStack;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "kindred-models-"));
  cleanup = new AsyncDisposableStack();
});
afterEach(async () => {
  await cleanup.disposeAsync();
  rmSync(folder, { recursive: true });
});

const service = async (methods: Parameters<typeof fakeEmbedding>[0]) =>
  cleanup.use(await fakeEmbedding(methods));
const models = ({ url }: { url: string }, ...args: string[]) =>
  runInProcess(["models", ...args, "--url", url], { KINDRED_HOME: folder });

const MODEL: MessageInitShape<typeof ModelSchema> = {
  name: "minilm",
  aliases: ["small"],
  isDefault: true,
  provider: "local",
  state: ModelState.READY,
  space: SPACE,
  cachePath: "/cache/minilm",
  cacheBytes: 2n ** 20n,
  requestCount: 3n,
};

describe("list", () => {
  test("every model, for people and for programs", async () => {
    const at = await service({
      listModels: () => ({ models: [MODEL, { name: "other", provider: "openai" }] }),
    });
    const { code, out } = await models(at, "list");
    expect(code).toBe(0);
    expect(out).toMatch(/^ minilm \(default\) +small +local +3 +- +ready +- +1\.0 MiB +3 +-$/m);
    expect(out).toMatch(/^ other +- +openai /m);
    const json = JSON.parse((await models(at, "list", "--json")).out) as { models: object[] };
    expect(json.models).toMatchObject([
      {
        name: "minilm",
        is_default: true,
        state: "MODEL_STATE_READY",
        cache_bytes: 1_048_576,
        request_count: 3,
      },
      { name: "other" },
    ]);
  });

  test("a service of before there were several models", async () => {
    const { code, err } = await models(await service({}), "list");
    expect(code).toBe(1);
    expect(err).toContain("of this version?");
  });
});

describe("pull", () => {
  test("shows what is done, and ends with where it lies", async () => {
    const asked: string[] = [];
    const at = await service({
      async *pullModel({ model }) {
        asked.push(model);
        for (const phase of ["download", "verify", "compile", "something new"]) {
          yield { update: { case: "progress", value: { phase, done: 5n, total: 10n, source: "hub" } } };
        }
        yield { update: { case: "model", value: MODEL } };
      },
    });
    const { code, out, err } = await models(at, "pull", "small");
    expect(code).toBe(0);
    expect(out).toMatch(/^ model +minilm\n[^]*^ compiled form +\/cache\/minilm\n size on disk +1\.0 MiB\n$/m);
    expect(err).toMatch(/^✔ model +minilm, 1\.0 MiB on disk/);
    expect(JSON.parse((await models(at, "pull", "--json")).out)).toMatchObject({
      name: "minilm",
      cache_path: "/cache/minilm",
    });
    expect(asked).toEqual(["small", ""]);
  });

  test("that fails in the middle says why", async () => {
    const at = await service({
      async *pullModel() {
        yield {
          update: { case: "progress", value: { phase: "download", done: 1n, total: 2n, source: "hub" } },
        };
        throw new KindredError("unavailable", "the hub answered 503");
      },
    });
    const { code, out, err } = await models(at, "pull");
    expect({ code, out }).toEqual({ code: 69, out: "" });
    expect(err).toContain("error: the hub answered 503");
  });

  test("that ends without a model is no success", async () => {
    const at = await service({ async *pullModel() {} });
    const { code, err } = await models(at, "pull");
    expect(code).toBe(1);
    expect(err).toContain("without naming the model");
  });
});

test("info says what the service says", async () => {
  const asked: string[] = [];
  const at = await service({
    info: ({ model }) => {
      asked.push(model);
      return {
        model: "minilm",
        space: SPACE,
        effectiveExecutionProvider: "cpu",
        requestedExecutionProvider: "cpu",
      };
    },
  });
  expect((await models(at, "info", "small")).out).toMatch(/^ runs on +cpu \(asked for: cpu\)$/m);
  expect(JSON.parse((await models(at, "info", "--json")).out)).toMatchObject({
    model: "minilm",
    space: { id: SPACE.id },
    effective_execution_provider: "cpu",
  });
  expect(asked).toEqual(["small", ""]);
});

test.each(["pull", "info", "bench"])(
  "%s of a model that is not served names those that are",
  async (command) => {
    const unknown = ({ model }: { model: string }): never => {
      throw new KindredError("not-found", `there is no model "${model}" here; served are minilm`);
    };
    const at = await service({
      info: unknown,
      // oxlint-disable-next-line require-yield -- it fails before it has anything to say
      async *pullModel(request) {
        unknown(request);
      },
    });
    const { code, out, err } = await models(at, command, "bert");
    expect({ code, out }).toEqual({ code: 2, out: "" });
    expect(err).toContain('there is no model "bert" here; served are minilm.');
  },
);

describe("bench", () => {
  test("one text a call, then many, all of them different; it says what it did", async () => {
    const at = await service({});
    const { code, out } = await models(at, "bench", "fake", "--texts", "150", "--seconds", "1", "--json");
    expect(code).toBe(0);
    const result = JSON.parse(out) as { single: Record<string, number>; bulk: Record<string, number> };
    const singles = at.requests.filter(({ priority }) => priority === Priority.INTERACTIVE);
    const bulk = at.requests.filter(({ priority }) => priority === Priority.BULK);
    expect(singles.every(({ texts }) => texts.length === 1)).toBe(true);
    expect(result.single["calls"]).toBeGreaterThan(0);
    expect(singles.length).toBe((result.single["calls"] as number) + 5);
    expect(result.single["p50_ms"]).toBeGreaterThan(0);
    expect(result.single["p99_ms"]).toBeGreaterThanOrEqual(result.single["p90_ms"] as number);
    expect(bulk.map(({ texts }) => texts.length)).toEqual([64, 64, 22]);
    expect(result.bulk).toMatchObject({
      texts: 150,
      texts_per_call: 64,
      calls_at_once: 8,
      tokens_per_text: 8,
    });
    expect(result.bulk["tokens_per_second"]).toBeCloseTo(8 * (result.bulk["texts_per_second"] as number), 3);
    expect(result).toMatchObject({ model: { model: "fake" }, cached_texts: 0 });
    const texts = at.requests.flatMap((request) => request.texts);
    expect(new Set(texts).size).toBe(texts.length);
    expect(at.requests.every(({ model }) => model === "fake")).toBe(true);
  });

  test("stops sending when the time is over, and tells of texts that a cache answered", async () => {
    const at = await service({
      embed: async (request) => {
        if (request.texts.length > 1) await new Promise((resolve) => setTimeout(resolve, 400));
        return { ...answer(request), cachedTexts: request.texts.length > 1 ? 1 : 0 };
      },
    });
    const { code, out } = await models(at, "bench", "--seconds", "1");
    expect(code).toBe(0);
    expect(out).toMatch(/^ one text +p50 [\d.]+ ms, p90 [\d.]+ ms, p99 [\d.]+ ms$/m);
    expect(out).toMatch(/^ many texts +[\d,]+ texts\/s, [\d,]+ tokens\/s$/m);
    const bulk = at.requests.filter(({ texts }) => texts.length > 1);
    expect(bulk.length).toBeLessThan(40);
    expect(out).toContain(`${bulk.length} texts came from a cache`);
  });
});
