import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "@jest/globals";
import { Priority } from "@kindred/contracts/embedding/v1";
import { KindredError } from "@kindred/errors";
import { freePorts } from "@kindred/process";
import { packVectors } from "@kindred/rpc";
import { answer, fakeEmbedding, SPACE, vectorOf, type FakeEmbedding } from "../../test/fake-embedding.ts";
import { runInProcess } from "../../test/run-in-process.ts";

let folder: string;
let cleanup: AsyncDisposableStack;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "kindred-embed-"));
  cleanup = new AsyncDisposableStack();
});
afterEach(async () => {
  await cleanup.disposeAsync();
  rmSync(folder, { recursive: true });
});

async function service(methods: Parameters<typeof fakeEmbedding>[0] = {}): Promise<FakeEmbedding> {
  return cleanup.use(await fakeEmbedding(methods));
}

/** `kindred embed` against the service. */
const embed = (at: Pick<FakeEmbedding, "url">, ...args: string[]) =>
  runInProcess(["embed", "--url", at.url, ...args], { KINDRED_HOME: folder });

function fileOf(content: string | Uint8Array, name = "texts.txt"): string {
  const path = join(folder, name);
  writeFileSync(path, content);
  return path;
}

describe("texts given on the command line", () => {
  test("for people: the space, and a line a text", async () => {
    const { code, out, err } = await embed(await service(), "a", "abcdefgh");
    expect({ code, err }).toEqual({ code: 0, err: "" });
    const lines = out.split("\n");
    expect(lines[0]).toMatch(/^ model +fake$/);
    expect(lines[1]).toMatch(/^ space +local:fake@1:3:mean:none:8$/);
    expect(lines[2]).toMatch(/^ dimensions +3$/);
    expect(lines[4]).toMatch(/^ # +tokens +length +cosine to 1 +vector +text$/);
    expect(lines[5]).toMatch(/^ 1 +3 +137\.1824 +1\.0000 +\+1\.0000 \+97\.0000 \+97\.0000 … +a$/);
    expect(lines[6]).toMatch(
      /^ 2 +8 \(cut\) +142\.4395 +0\.9982 +\+8\.0000 \+97\.0000 \+104\.0000 … +abcdefgh$/,
    );
    expect(lines[7]).toMatch(/^ 2 texts · 11 tokens · [\d.]+ ms$/);
  });

  test("one text has nothing to be compared with", async () => {
    expect((await embed(await service(), "a")).out).not.toContain("cosine");
  });

  test("for programs: every component, exactly", async () => {
    const odd = new Float32Array([0.1, -1 / 3, 3e-20]);
    const at = await service({ embed: (request) => ({ ...answer(request), vectors: packVectors(odd) }) });
    const { code, out } = await embed(at, "ä\n🦘", "--json");
    expect(code).toBe(0);
    expect(out.trimEnd()).not.toContain("\n");
    const { results, ...head } = JSON.parse(out) as { results: [{ vector: number[] }] };
    expect(head).toEqual({
      space: expect.objectContaining({ id: SPACE.id, dimensions: 3, max_tokens: 8 }),
      total_tokens: 6,
      cached_texts: 0,
    });
    expect(results).toEqual([{ text: "ä\n🦘", token_count: 6, truncated: false, vector: expect.anything() }]);
    expect(new Float32Array(results[0].vector)).toEqual(odd);
  });

  test("model and priority are passed on; somebody waits", async () => {
    const at = await service();
    await embed(at, "a", "--model", "big");
    await embed(at, "a", "--priority", "bulk");
    expect(at.requests.map(({ model, priority }) => [model, priority])).toEqual([
      ["big", Priority.INTERACTIVE],
      ["", Priority.BULK],
    ]);
  });

  test("of a provider that counts whole requests only", async () => {
    const at = await service({
      embed: (request) => ({ ...answer(request), tokenCounts: [], truncated: [] }),
    });
    expect((await embed(at, "a")).out).toMatch(/^ 1 +\? +137/m);
    const { results } = JSON.parse((await embed(at, "a", "--json")).out) as { results: object[] };
    expect(Object.keys(results[0] as object)).toEqual(["text", "vector"]);
  });
});

describe("a file", () => {
  const TEXTS = Array.from({ length: 50 }, (_, i) => "x".repeat(i % 5) + i);
  const content = `${TEXTS.join("\n")}\n`;
  const small = ["--batch-size", "7", "--in-flight", "3"];

  test("to standard output: a line of JSON for each line, in order", async () => {
    const at = await service({
      embed: async (request) => {
        // The first calls are the slowest.
        await new Promise((resolve) => setTimeout(resolve, request.texts[0] === "0" ? 50 : 1));
        return answer(request);
      },
    });
    const { code, out, err } = await embed(at, "--file", fileOf(content), "--with-text", ...small);
    expect(code).toBe(0);
    expect(err).toMatch(/^✔ embed +50 texts, \d+ tokens, 3 dimensions/);
    const lines = out
      .trimEnd()
      .split("\n")
      .map((line) => JSON.parse(line) as unknown);
    expect(lines).toEqual(TEXTS.map((text, index) => ({ index, text, vector: vectorOf(text) })));
    expect(at.requests.map(({ texts }) => texts.length)).toEqual([7, 7, 7, 7, 7, 7, 7, 1]);
    expect(at.requests.every(({ priority }) => priority === Priority.BULK)).toBe(true);
    expect(at.mostAtOnce).toBe(3);
  });

  test("to a file of NumPy, with a report", async () => {
    const out = join(folder, "v.npy");
    const { code, out: said } = await embed(
      await service(),
      "--file",
      fileOf(content),
      "--out",
      out,
      ...small,
    );
    expect(code).toBe(0);
    expect(said).toContain(`${out} (50 x 3, 728 bytes)`);
    expect(said).toMatch(/^ tokens +\d+$/m);
    const bytes = readFileSync(out);
    const values = new Float32Array(
      bytes.buffer.slice(bytes.byteOffset + 128, bytes.byteOffset + bytes.length),
    );
    expect([...values]).toEqual(TEXTS.flatMap(vectorOf));
    expect(readdirSync(folder).toSorted()).toEqual(["texts.txt", "v.npy"]);
  });

  test("the report for programs says what was cut", async () => {
    const out = join(folder, "v.f32");
    const path = fileOf("a\nabcdefgh\n\nabcdefghi");
    const { out: said, err } = await embed(await service(), "--file", path, "--out", out, "--json");
    expect(err).toBe("");
    expect(JSON.parse(said)).toMatchObject({
      out,
      texts: 4,
      dimensions: 3,
      bytes: 48,
      space: { id: SPACE.id },
      total_tokens: 3 + 8 + 2 + 8,
      truncated_texts: 2,
    });
  });

  test("texts of the command line can be written to a file, too", async () => {
    const out = join(folder, "v.jsonl");
    expect((await embed(await service(), "a", "b", "--out", out)).code).toBe(0);
    expect(readFileSync(out, "utf8")).toBe(
      '{"index":0,"vector":[1,97,97]}\n{"index":1,"vector":[1,98,98]}\n',
    );
  });

  test("an empty one has no vectors, of the model's dimensions all the same", async () => {
    const at = await service();
    expect(await embed(at, "--file", fileOf(""))).toMatchObject({ code: 0, out: "" });
    const out = join(folder, "v.npy");
    expect((await embed(at, "--file", fileOf(""), "--out", out)).code).toBe(0);
    expect(readFileSync(out, "latin1")).toContain("'shape': (0, 3), }");
    expect(at.requests).toEqual([]);
  });

  test("a full queue and a pause are waited for, as long as the service asks", async () => {
    let refusals = 0;
    const at = await service({
      embed: (request) => {
        if (request.texts[0] === "xx7" && refusals++ < 2)
          throw new KindredError("resource-exhausted", "the queue is full", { retryAfterMs: 10 });
        return answer(request);
      },
    });
    const { code, out, err } = await embed(at, "--file", fileOf(content), ...small);
    expect(code).toBe(0);
    expect(out.trimEnd().split("\n")).toHaveLength(50);
    expect(err).toMatch(/waiting up to 120 s for the service: the queue is full\n.*going on/);
  });

  describe("that fails", () => {
    const failing = async (at: Pick<FakeEmbedding, "url">, ...args: string[]) => {
      const before = readdirSync(folder).length;
      const outcome = await embed(at, ...args, "--out", join(folder, "v.npy"));
      expect(outcome.out).toBe("");
      expect(readdirSync(folder)).toHaveLength(before);
      return outcome;
    };

    test("because the service refuses the texts: nothing is written", async () => {
      const at = await service({
        embed: (request) => {
          if (request.texts.includes("xxx23")) throw new KindredError("failed-precondition", "no more");
          return answer(request);
        },
      });
      const { code, err } = await failing(at, "--file", fileOf(content), ...small);
      expect(code).toBe(1);
      expect(err).toContain("error: no more");
    });

    test("because nothing is there", async () => {
      const [port] = await freePorts(1);
      const url = `http://127.0.0.1:${port}`;
      const { code, err } = await failing({ url }, "--file", fileOf(content), "--patience", "0");
      expect(code).toBe(69);
      expect(err).toContain(`Kindred cannot be reached at ${url} (ECONNREFUSED)`);
    });

    test("because a line is not UTF-8", async () => {
      const path = fileOf(Buffer.from("fine\nfine\nM\xfcll\n", "latin1"));
      const { code, err } = await failing(await service(), "--file", path);
      expect(code).toBe(65);
      expect(err).toContain(`${path}, line 3: not UTF-8.`);
    });

    test.each([
      ["a file that is not there", "nowhere.txt", "there is no such file"],
      ["a folder", ".", "it is a folder"],
    ])("because it is %s", async (_, name, reason) => {
      const { code, err } = await failing(await service(), "--file", join(folder, name));
      expect(code).toBe(65);
      expect(err).toMatch(new RegExp(`^error: .* cannot be read: ${reason}\\.`));
    });
  });

  test("whose vectors have nowhere to go is not embedded", async () => {
    const at = await service();
    const { code, err } = await embed(at, "--file", fileOf("a"), "--out", join(folder, "no", "v.npy"));
    expect(code).toBe(73);
    expect(err).toContain("there is no such folder");
    expect(at.requests).toEqual([]);
  });
});

describe("an answer that is none", () => {
  test.each<[string, (request: Parameters<typeof answer>[0]) => ReturnType<typeof answer>, RegExp]>([
    [
      "too few vectors",
      (request) => ({ ...answer(request), vectors: new Uint8Array(12) }),
      /has 12 bytes of vectors, not 24 for 2 texts of 3 dimensions/,
    ],
    [
      "no space",
      (request) => ({ vectors: answer(request).vectors as Uint8Array }),
      /does not say which space/,
    ],
    [
      "a component that is no number",
      (request) => ({
        ...answer(request),
        vectors: packVectors(new Float32Array([1, 2, 3, 4, Number.NaN, 6])),
      }),
      /no finite number/,
    ],
    [
      "too many token counts",
      (request) => ({ ...answer(request), tokenCounts: [1, 2, 3] }),
      /3 token counts for 2 texts/,
    ],
    [
      "too few marks",
      (request) => ({ ...answer(request), truncated: [true] }),
      /1 marks of cut texts for 2 texts/,
    ],
  ])("%s", async (_, odd, message) => {
    const { code, out, err } = await embed(await service({ embed: odd }), "a", "b");
    expect({ code, out }).toEqual({ code: 1, out: "" });
    expect(err).toMatch(message);
  });

  test("vectors of another model in the middle of a file", async () => {
    const at = await service({
      embed: (request) => ({
        vectors: new Uint8Array(12),
        space: request.texts[0] === "c" ? { ...SPACE, id: "other" } : SPACE,
      }),
    });
    const { code, err } = await embed(at, "--file", fileOf("a\nb\nc\nd"), "--batch-size", "1");
    expect(code).toBe(1);
    expect(err).toContain("the embedding service changed its model meanwhile");
  });
});

test("a model that is not served is a wrong value, and the served ones are named", async () => {
  const at = await service({
    embed: ({ model }) => {
      throw new KindredError("not-found", `there is no model "${model}" here; served are minilm, qwen`);
    },
  });
  for (const args of [["a"], ["--file", fileOf("a")]]) {
    const { code, out, err } = await embed(at, ...args, "--model", "bert");
    expect({ code, out }).toEqual({ code: 2, out: "" });
    expect(err).toContain('there is no model "bert" here; served are minilm, qwen.');
    expect(err).toContain("kindred models list");
  }
});

describe("a command line that is wrong", () => {
  test.each([
    [[], /Give texts to embed, or a file/],
    [["a", "--file", "b"], /one of the two/],
    [["a", "--priority", "high"], /Allowed choices are interactive, bulk/],
    [["a", "--batch-size", "0"], /integer from 1 to 10000/],
    [["a", "--out", "v.csv"], /none of those known/],
    [["--file", "v.jsonl", "--out", "./v.jsonl"], /is the file that is read/],
  ])("%j", async (args, message) => {
    const { code, out, err } = await embed({ url: "http://127.0.0.1:1" }, ...args);
    expect({ code, out }).toEqual({ code: 2, out: "" });
    expect(err).toMatch(message);
  });
});
